// Make elements. Whatever a response said becomes a text node or an attribute that runs nothing: never HTML.

const SVG = "http://www.w3.org/2000/svg"
const MOST_ROWS = 500
const FOCUSED = "a, button, summary, [tabindex]"
const READ = new Set(["title", "aria-label"]) // attributes that people read
const SVG_TAGS = new Set(["svg", "path", "circle", "title"])

// h("p", { class: "note" }, "text", child): children that are null or false are left out.
export function h(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? "" : READ.has(name) ? visible(String(value)) : String(value))
  }
  element.append(...shown(children))
  return element
}

export function fill(element, ...children) {
  element.replaceChildren(...shown(children))
  return element
}

// As `fill`, for what is drawn again and again: what is open stays open, the focus stays, and so does what is scrolled.
export function refill(element, ...children) {
  const [focused, opened, scrolled] = [FOCUSED, "details", ".scroll"].map((each) => [...element.querySelectorAll(each)])
  const lefts = scrolled.map((each) => each.scrollLeft)
  const at = focused.indexOf(document.activeElement)
  fill(element, ...children)
  element.querySelectorAll("details").forEach((each, n) => { each.open = opened[n]?.open ?? each.open })
  element.querySelectorAll(".scroll").forEach((each, n) => { each.scrollLeft = lefts[n] ?? 0 })
  if (at < 0) return element
  const now = [...element.querySelectorAll(FOCUSED)]
  const isSame = (each) => each && named(each) === named(focused[at])
  const same = isSame(now[at]) ? now[at] : now.find(isSame) ?? now[at]
  same?.focus({ preventScroll: true })
  return element
}

const named = (element) => element.getAttribute("href") ?? element.getAttribute("aria-label") ?? element.textContent

function shown(children) {
  return children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false)
    .map((each) => (each instanceof Node ? each : visible(String(each))))
}

// Marks that turn the direction of a text, and other invisible ones, could make one answer look like another.
const INVISIBLE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u202f]/gu

export function visible(text) {
  return text.replace(INVISIBLE, (mark) => `<U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`)
}

// An address within the page, as the router reads it: link(["runs", name], { sort: "flips" }).
export function address(path, query = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "")
  const tail = asked.map(([name, value]) => `${name}=${encodeURIComponent(wellFormed(value))}`).join("&")
  return `#/${path.map((each) => encodeURIComponent(wellFormed(each))).join("/")}${tail && `?${tail}`}`
}

function wellFormed(value) {
  const text = String(value)
  return text.toWellFormed ? text.toWellFormed() : text
}

export function link(path, text, query) {
  return h("a", { href: address(path, query) }, text)
}

// A table with headings; each column is { name, of(row), number, title }. Of many rows some are shown at first: a browser
// takes seconds to lay out thousands.
export function table(caption, columns, rows, attributes = {}) {
  const head = columns.map((column) => h("th", { scope: "col", class: column.number && "number", title: column.title }, column.name))
  const body = h("tbody")
  const next = h("button", { type: "button", class: "rows" })
  const show = () => {
    const shown = body.childElementCount
    body.append(...rows.slice(shown, shown + MOST_ROWS).map((row) => rowOf(columns, row)))
    const left = rows.length - body.childElementCount
    next.hidden = left === 0
    next.textContent = `Show ${Math.min(left, MOST_ROWS)} more of ${rows.length}`
  }
  next.addEventListener("click", show)
  show()
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", attributes, h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), body), next)
}

function rowOf(columns, row) {
  return h("tr", {}, columns.map((column, at) => {
    const cell = { class: column.number && "number", "data-name": column.name }
    const shown = h("div", {}, column.of(row))
    return at === 0 ? h("th", { scope: "row", ...cell }, shown) : h("td", cell, shown)
  }))
}

export function definitions(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value, title]) => h("div", { title }, h("dt", {}, name), h("dd", {}, value))))
}
