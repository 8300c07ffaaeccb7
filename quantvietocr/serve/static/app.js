// Files come in, go to the server one after the other, and what it answers is shown. What a file or the server says goes
// onto the page as text content alone.

import { at, clear, draw, make, plainText } from "./view.js";

const TOGETHER = 2; // uploads on their way at once: the server always has one to read, and connections stay free for /queue
const POLL = 500; // ms between questions for the place in the queue

// {file, name, number, button, pages: Map(page number → {answers: [], error, busy, ahead, reader, picture, pdf, pdfError})}
const documents = [];
const jobs = []; // {entry, number, reader} that are not on their way yet
let current = null;
let onTheirWay = 0;
let about = { readers: [{ name: "int8", about: [] }], limits: { bytes: Infinity, pixels: Infinity } };

function say(element, text) {
  element.hidden = !text;
  element.textContent = text || "";
}

function megabytes(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

async function start() {
  try {
    about = await (await fetch("/about")).json();
  } catch {
    return say(at("error"), "The server does not answer: is it still running?");
  }
  const { bytes, pixels } = about.limits;
  const limits = `${megabytes(bytes)}, ${Math.floor(pixels / 1e6)} million pixels`;
  at("limits").textContent = `PNG, JPEG, TIFF, WebP, PDF; up to ${limits}`;
  at("compare-label").hidden = about.readers.length < 2;
  if (about.readers.length > 1) {
    at("compare-label").lastElementChild.textContent = `Read with ${about.readers[1].name} too, to compare (takes longer)`;
  }
  at("about").replaceChildren(
    ...about.readers.map((reader) => make("li", `${reader.name}: ${reader.file}. ${reader.about.join(" ")}`)),
    make("li", about.detector),
  );
}

function add(files) {
  const before = documents.length;
  for (const file of files) {
    const entry = { file, name: file.name || "pasted picture", number: 1, pages: new Map(), button: make("button") };
    entry.button.type = "button";
    entry.button.title = entry.name;
    entry.button.append(make("span", entry.name, "name"), make("span", "", "state"));
    entry.button.addEventListener("click", () => show(entry));
    at("documents").append(entry.button);
    documents.push(entry);
    read(entry, 1);
  }
  if (documents.length === before) return;
  at("drop").classList.add("used");
  show(documents[before]);
}

function pageOf(entry, number) {
  if (!entry.pages.has(number)) entry.pages.set(number, { answers: [], error: "", busy: false, ahead: null });
  return entry.pages.get(number);
}

function read(entry, number, reader = 0) {
  const page = pageOf(entry, number);
  if (entry.file.size > about.limits.bytes) {
    page.error = `${entry.name}: larger than ${megabytes(about.limits.bytes)}; save it smaller, or split it.`;
    return;
  }
  page.busy = true;
  jobs.push({ entry, number, reader });
  next();
}

function next() {
  while (onTheirWay < TOGETHER && jobs.length) send(jobs.shift());
}

async function send({ entry, number, reader }) {
  const page = pageOf(entry, number);
  const ticket = crypto.randomUUID();
  const query = new URLSearchParams({ name: entry.name, page: number, reader, ticket, plain: reader ? 1 : 0 });
  onTheirWay += 1;
  page.error = "";
  page.reader = reader;
  refresh(entry);
  const poll = setInterval(() => ask(entry, page, ticket), POLL);
  try {
    const response = await fetch(`/read?${query}`, {
      method: "POST", body: entry.file, headers: { "Content-Type": "application/octet-stream" },
    });
    const said = await response.json();
    if (response.ok) {
      page.answers[reader] = said.page;
      if (!reader) Object.assign(page, { picture: said.picture, pdf: said.pdf, pdfError: said.pdf_error });
    } else {
      page.error = said.error;
    }
  } catch {
    page.error = "The server does not answer: is it still running?";
  }
  clearInterval(poll);
  Object.assign(page, { busy: false, ahead: null });
  onTheirWay -= 1;
  compare(entry, number);
  refresh(entry);
  next();
}

async function ask(entry, page, ticket) {
  try {
    const { ahead } = await (await fetch(`/queue?${new URLSearchParams({ ticket })}`)).json();
    if (page.busy && ahead !== page.ahead) {
      page.ahead = ahead;
      refresh(entry);
    }
  } catch {
    // The upload itself says that the server is gone.
  }
}

function compare(entry, number) {
  const page = pageOf(entry, number);
  const wanted = at("compare").checked && about.readers.length > 1;
  if (wanted && page.answers[0] && !page.answers[1] && !page.busy && !page.error) read(entry, number, 1);
}

function stateOf(page) {
  if (page.error && !page.answers[0]) return "failed";
  if (!page.busy) return page.answers[0] ? "read" : "";
  if (page.ahead === null) return "waiting";
  return page.ahead ? `${page.ahead} before it` : "reading";
}

function sentenceOf(entry, page) {
  if (!page.busy) return "";
  const what = `page ${entry.number} of ${entry.name}`;
  if (page.ahead) return `Waiting: ${page.ahead} before ${what}.`;
  const how = page.reader ? ` with ${about.readers[page.reader].name}` : "";
  return page.ahead === null ? `Waiting to read ${what}${how}.` : `Reading ${what}${how}.`;
}

function refresh(entry) {
  at("documents").hidden = documents.length < 2;
  for (const each of documents) {
    each.button.setAttribute("aria-current", each === current);
    each.button.lastElementChild.textContent = stateOf(pageOf(each, each.number));
  }
  if (entry !== current) return;
  const page = pageOf(current, current.number);
  say(at("error"), page.error);
  at("status").hidden = !page.busy;
  at("status-text").textContent = sentenceOf(current, page);
  if (page.answers[0] !== shown.answer || page.answers[1] !== shown.other || page !== shown.page) display(page);
}

const shown = { page: null, answer: null, other: null, address: "" };

function display(page) {
  const [answer, other] = page.answers;
  Object.assign(shown, { page, answer, other });
  if (shown.address) URL.revokeObjectURL(shown.address);
  shown.address = !answer && current.file.type.startsWith("image/") ? URL.createObjectURL(current.file) : "";
  say(at("done"), "");
  at("result").hidden = !answer && !shown.address;
  at("text-side").hidden = at("legend").hidden = !answer;
  if (answer) {
    at("picture").src = page.picture;
    at("picture").alt = `${current.name}, page ${answer.page}`;
    at("save-pdf").disabled = !page.pdf;
    at("save-pdf").title = page.pdfError || "";
    at("pager").hidden = answer.pages < 2;
    at("page-number").textContent = `page ${answer.page} of ${answer.pages}`;
    at("previous").disabled = answer.page <= 1;
    at("next").disabled = answer.page >= answer.pages;
    draw(answer, other, about.readers.map((reader) => reader.name));
  } else {
    clear();
    at("picture").alt = current.name;
    if (shown.address) at("picture").src = shown.address; // what the browser can draw is there before it is read
  }
}

function show(entry) {
  current = entry;
  compare(entry, entry.number);
  refresh(entry);
}

function turnTo(number) {
  current.number = number;
  const page = pageOf(current, number);
  if (!page.answers[0] && !page.busy) read(current, number);
  show(current);
}

function save(content, kind, ending) {
  const { page, pages } = shown.answer;
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content], { type: kind }));
  link.download = `${current.name.replace(/\.[^.]*$/, "")}${pages > 1 ? `-${page}` : ""}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000); // the download has its own hold by then
  say(at("done"), `${link.download} is among your downloads.`);
}

for (const input of ["file", "camera"]) {
  at(input).addEventListener("change", (event) => {
    add(event.target.files);
    event.target.value = ""; // the same file may be chosen again
  });
}
at("sample").addEventListener("click", async () => {
  try {
    const content = await (await fetch("/static/sample.jpg")).blob();
    add([new File([content], "sample.jpg", { type: "image/jpeg" })]);
  } catch {
    say(at("error"), "The server does not answer: is it still running?");
  }
});
at("previous").addEventListener("click", () => turnTo(current.number - 1));
at("next").addEventListener("click", () => turnTo(current.number + 1));
at("compare").addEventListener("change", () => {
  if (!current) return;
  const page = pageOf(current, current.number);
  if (page.answers[0]) page.error = ""; // of an earlier attempt to compare
  show(current);
});
at("picture").addEventListener("error", () => { at("result").hidden = !shown.answer; });
at("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(plainText(shown.answer));
    say(at("done"), "Copied.");
  } catch {
    say(at("done"), "The browser does not allow copying here: select the text instead.");
  }
});
at("save-json").addEventListener("click", () => save(JSON.stringify(shown.answer, null, 1), "application/json", "json"));
at("save-pdf").addEventListener("click", () => {
  save(Uint8Array.from(atob(shown.page.pdf), (letter) => letter.charCodeAt(0)), "application/pdf", "pdf");
});

window.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  at("drop").classList.add("over");
});
window.addEventListener("dragleave", (event) => event.relatedTarget || at("drop").classList.remove("over"));
window.addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  at("drop").classList.remove("over");
  add(event.dataTransfer.files);
});
window.addEventListener("paste", (event) => add(event.clipboardData.files));

start();
