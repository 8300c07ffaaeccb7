// What was read: boxes on the picture, fields, items, lines, times. `draw` takes pages as the server answers them.

const SVG = "http://www.w3.org/2000/svg";
const FIELDS = [
  ["shop", "Shop", "Cửa hàng"], ["address", "Address", "Địa chỉ"], ["date", "Date", "Ngày"], ["total", "Total", "Tổng cộng"],
];

const money = new Intl.NumberFormat("vi-VN");
const seconds = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

let page = null;
let chosen = null; // the row of a table that is lit

export function at(id) {
  return document.getElementById(id);
}

export function make(name, text = "", kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = kind;
  return element;
}

function vietnameseText(text) {
  const element = make("span", text);
  element.lang = "vi";
  return element;
}

export function plainText(answer) {
  return answer.paragraphs.map((rows) => rows.map((row) => answer.rows[row].text).join("\n")).join("\n\n");
}

export function clear() {
  light(null);
  page = null;
  at("overlay").replaceChildren();
}

export function draw(answer, other, names) {
  clear();
  page = answer;
  at("overlay").setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  at("overlay").append(...page.lines.map((line, place) => {
    const polygon = polygonOf(line.box, levelOf(line.confidence));
    polygon.dataset.line = place;
    return polygon;
  }));
  drawFields(other, names);
  drawItems();
  drawLines(other, names);
  drawTimes(other, names);
}

// Nothing read is certain: the most that is said is "over 99 %".
function percent(confidence) {
  return confidence > 0.99 ? ">99%" : `${Math.round(100 * confidence)}%`;
}

function levelOf(confidence) {
  return confidence >= 0.9 ? "sure" : confidence >= 0.5 ? "fair" : "poor";
}

function polygonOf(box, kind) {
  const polygon = document.createElementNS(SVG, "polygon");
  polygon.setAttribute("points", box.map(([x, y]) => `${x},${y}`).join(" "));
  polygon.setAttribute("class", kind);
  return polygon;
}

function chance(confidence) {
  const cell = make("td", "", "number");
  cell.append(make("span", percent(confidence), `level ${levelOf(confidence)}`));
  return cell;
}

function header(title, kind = "") {
  const cell = make("th", title, kind);
  cell.scope = "col";
  return cell;
}

// Fields ------------------------------------------------------------------------------------------------------------

function valueOf(field) {
  if (!field) return "not found";
  const doubt = field.sure ? "" : " (not sure)";
  if (field.name === "total") return `${money.format(field.value)} đ${doubt}`;
  const date = field.name === "date" && /^(\d{4})-(\d\d)-(\d\d)(?:T(.+))?$/.exec(field.value);
  return `${date ? `${date[3]}/${date[2]}/${date[1]}${date[4] ? ` ${date[4]}` : ""}` : field.value}${doubt}`;
}

function drawFields(other, names) {
  const find = (answer, name) => answer.fields.find((field) => field.name === name);
  at("fields").tHead.rows[0].replaceChildren(header(""), header(names[0]), header("Chance", "number"),
    ...(other ? [header(names[1])] : []));
  at("fields").tHead.hidden = !other;
  at("fields").tBodies[0].replaceChildren(...FIELDS.map(([name, title, vietnamese]) => {
    const field = find(page, name);
    const row = make("tr", "", name);
    const label = make("th", `${title} `);
    label.append(vietnameseText(vietnamese));
    label.scope = "row";
    row.append(label, make("td", valueOf(field), field ? "" : "absent"), field ? chance(field.confidence) : make("td"));
    if (other) {
      const against = find(other, name);
      row.append(make("td", valueOf(against), against ? "" : "absent"));
      row.classList.toggle("differs", valueOf(field) !== valueOf(against));
    }
    if (field) points(row, field.box, field.text, field.confidence);
    return row;
  }));
}

function drawItems() {
  at("items-section").hidden = !page.items.length;
  at("items").tBodies[0].replaceChildren(...page.items.map((item) => {
    const row = make("tr");
    row.append(
      make("td", item.name), make("td", money.format(item.quantity), "number"),
      make("td", item.unit_price === null ? "" : money.format(item.unit_price), "number"),
      make("td", money.format(item.price), "number"),
    );
    points(row, item.box, item.name, item.confidence);
    return row;
  }));
}

// Lines -------------------------------------------------------------------------------------------------------------

// Both texts with the part between what they begin and end with in common marked.
function marked(text, against) {
  const [letters, others] = [Array.from(text), Array.from(against)];
  const least = Math.min(letters.length, others.length);
  let front = 0;
  while (front < least && letters[front] === others[front]) front += 1;
  let back = 0;
  while (back < least - front && letters[letters.length - 1 - back] === others[others.length - 1 - back]) back += 1;
  const end = letters.length - back;
  return [letters.slice(0, front).join(""), make("mark", letters.slice(front, end).join("")), letters.slice(end).join("")];
}

function textCell(text, against) {
  const cell = make("td", "", "text");
  cell.append(...(against === undefined || against === text ? [text] : marked(text, against)));
  return cell;
}

function drawLines(other, names) {
  const heads = other ? [names[0], "Chance", names[1], "Chance"] : ["Text", "Chance"];
  at("lines").tHead.rows[0].replaceChildren(...heads.map((head) => header(head, head === "Chance" ? "number" : "")));
  at("lines").classList.toggle("compared", Boolean(other));
  // The same boxes are found whoever reads; a reader that sees nothing in one has no line there.
  const others = new Map(other ? other.lines.map((line) => [String(line.box), line]) : []);
  at("lines").tBodies[0].replaceChildren(...page.lines.map((line, place) => {
    const row = make("tr");
    row.dataset.line = place;
    row.tabIndex = place ? -1 : 0; // one stop for Tab, arrow keys go on
    const against = others.get(String(line.box));
    row.append(textCell(line.text, other && (against ? against.text : "")), chance(line.confidence));
    if (other) {
      row.append(textCell(against ? against.text : "", line.text), against ? chance(against.confidence) : make("td"));
      row.classList.toggle("differs", against?.text !== line.text);
    }
    points(row, line.box, line.text, line.confidence);
    return row;
  }));
  at("lines-title").textContent = `Lines (${page.lines.length})`;
  at("lines-empty").hidden = page.lines.length > 0;
  at("lines-frame").hidden = at("lines-help").hidden = !page.lines.length;
  at("copy").disabled = !page.lines.length;
}

// Times -------------------------------------------------------------------------------------------------------------

function drawTimes(other, names) {
  const times = [["Finding lines", page.timings_ms.detect, "found"], [`Reading, ${names[0]}`, page.timings_ms.read, ""]];
  if (other) times.push([`Reading, ${names[1]}`, other.timings_ms.read, ""]);
  const longest = Math.max(...times.map(([, spent]) => spent), 1);
  at("times").tBodies[0].replaceChildren(...times.map(([title, spent, kind]) => {
    const row = make("tr");
    const label = make("th", title);
    label.scope = "row";
    const bar = make("span", "", `bar ${kind}`);
    bar.style.width = `${(100 * spent) / longest}%`;
    const cell = make("td");
    cell.append(bar);
    row.append(label, make("td", `${seconds.format(spent / 1000)} s`, "number"), cell);
    return row;
  }));
  const differing = at("lines").querySelectorAll("tr.differs").length;
  at("times-note").textContent = other
    ? `${names[1]} takes ${(other.timings_ms.read / Math.max(page.timings_ms.read, 1)).toFixed(1)} times as long as `
      + `${names[0]}; ${differing ? `${differing} of ${page.lines.length} lines differ` : "no line differs"}.`
    : "";
}

// What is pointed at ------------------------------------------------------------------------------------------------

const areas = new WeakMap(); // row of a table → {box, text, confidence}

function points(row, box, text, confidence) {
  areas.set(row, { box, text, confidence });
}

function light(row) {
  if (row === chosen) return;
  chosen?.classList.remove("chosen");
  for (const polygon of at("overlay").querySelectorAll(".chosen, .area")) {
    polygon.classList.remove("chosen");
    if (polygon.classList.contains("area")) polygon.remove();
  }
  chosen = row;
  at("tip").hidden = !row;
  if (!row) return;
  const { box, text, confidence } = areas.get(row);
  row.classList.add("chosen");
  const polygon = at("overlay").querySelector(`[data-line="${row.dataset.line}"]`);
  if (polygon) polygon.classList.add("chosen");
  else at("overlay").append(polygonOf(box, "area chosen"));
  at("tip-text").textContent = text;
  at("tip-confidence").textContent = percent(confidence);
  placeTip(box);
}

// Above the box, or below where there is no room; never out of the picture at the sides.
function placeTip(box) {
  const [tip, figure] = [at("tip"), at("figure")];
  const [scaleX, scaleY] = [figure.clientWidth / page.width, figure.clientHeight / page.height];
  const [xs, ys] = [box.map(([x]) => x * scaleX), box.map(([, y]) => y * scaleY)];
  tip.style.left = "0";
  tip.style.top = "0";
  const above = Math.min(...ys) - tip.offsetHeight - 6;
  tip.style.top = `${above >= 0 ? above : Math.max(...ys) + 6}px`;
  tip.style.left = `${Math.max(0, Math.min(Math.min(...xs), figure.clientWidth - tip.offsetWidth))}px`;
}

function rowOf(target) {
  const row = target.closest?.("#text-side tbody tr");
  return row && areas.has(row) ? row : null;
}

function lineRow(place) {
  return at("lines").tBodies[0].rows[place];
}

// Scrolls the list alone: the page stays where the reader's eyes are.
function reveal(row) {
  const frame = at("lines-frame");
  const head = at("lines").tHead.offsetHeight;
  if (row.offsetTop - head < frame.scrollTop) frame.scrollTop = row.offsetTop - head;
  const bottom = row.offsetTop + row.offsetHeight;
  if (bottom > frame.scrollTop + frame.clientHeight) frame.scrollTop = bottom - frame.clientHeight;
}

function pointed(event) {
  const place = event.target.dataset?.line;
  if (place === undefined) return light(null);
  const row = lineRow(Number(place));
  light(row);
  reveal(row);
}

at("overlay").addEventListener("pointerover", pointed);
at("overlay").addEventListener("click", pointed); // a finger points by tapping
at("overlay").addEventListener("pointerleave", (event) => event.pointerType === "mouse" && light(null));
at("text-side").addEventListener("pointerover", (event) => light(rowOf(event.target)));
at("text-side").addEventListener("pointerleave", () => light(null));
at("text-side").addEventListener("click", (event) => light(rowOf(event.target)));
at("text-side").addEventListener("focusin", (event) => light(rowOf(event.target)));
at("text-side").addEventListener("focusout", () => light(null));
at("lines").addEventListener("keydown", (event) => {
  const rows = at("lines").tBodies[0].rows;
  const place = Number(document.activeElement.dataset.line);
  const goal = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (goal === undefined || !rows[goal]) return;
  event.preventDefault();
  document.activeElement.tabIndex = -1;
  rows[goal].tabIndex = 0;
  rows[goal].focus({ preventScroll: true });
  reveal(rows[goal]);
  rows[goal].scrollIntoView({ block: "nearest" });
});
