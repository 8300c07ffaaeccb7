# The service without PyTorch:   docker build -t quantvietocr .
# Bulk without PyTorch:          docker build -t quantvietocr-bulk --target bulk .   (docs/service.md, docs/bulk.md)
FROM python:3.11-slim AS weights
WORKDIR /build
COPY . .
RUN pip install --no-cache-dir -r requirements-light.txt && pip install --no-cache-dir --no-deps .
RUN quantvietocr export int8 --format onnx --out line.onnx && pip wheel --no-deps --wheel-dir dist .

FROM python:3.11-slim AS light
RUN --mount=type=bind,from=weights,source=/build,target=/build \
    pip install --no-cache-dir --no-compile -r /build/requirements-service.txt \
    && pip install --no-cache-dir --no-compile --no-deps /build/dist/quantvietocr-*.whl \
    && rm /usr/local/lib/python3.11/site-packages/quantvietocr/weights/*.safetensors \
    && install -D -m 644 /build/line.onnx /weights/line.onnx \
    && useradd --system --no-create-home reader

FROM light AS bulk
RUN --mount=type=bind,from=weights,source=/build,target=/build \
    pip install --no-cache-dir --no-compile -r /build/requirements-bulk.txt s3fs
USER reader
ENTRYPOINT ["quantvietocr", "bulk", "--weights", "/weights/line.onnx"]

FROM light
USER reader
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
# Keys: mount a key file at /run/secrets/keys, as compose.yml does.
CMD ["quantvietocr", "serve", "--api", "--host", "0.0.0.0", "--weights", "/weights/line.onnx", "--keys", "/run/secrets/keys"]
