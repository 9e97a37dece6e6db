// Show a question and its paraphrase: words that differ are marked, formulas are set.

import { h, visible } from "./dom.js"

const FORMULA = /\$\$([\s\S]{1,4000}?)\$\$|\$((?:[^$\\]|\\[\s\S]){1,4000}?)\$|\\\[([\s\S]{1,4000}?)\\\]|\\\(([\s\S]{1,4000}?)\\\)/g
const WORD = /\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu
const MOST_COMPARED = 1200 * 1200
const MOST_SHOWN = 20_000
const DEEPEST = 150 // some ten fractions within each other
const MOST_NODES = 20_000

// A text in pieces: { text, tex, block, space }.
function pieces(text) {
  const found = []
  const plain = (part) => { for (const [word] of part.matchAll(WORD)) found.push({ text: word, space: /^\s/.test(word) }) }
  let at = 0
  for (const match of text.matchAll(FORMULA)) {
    plain(text.slice(at, match.index))
    const tex = match.slice(1).find((part) => part !== undefined)
    found.push({ text: match[0], tex, block: match[1] !== undefined || match[3] !== undefined })
    at = match.index + match[0].length
  }
  plain(text.slice(at))
  return found
}

// Which of two lists of pieces are in both, in one order: the longest common subsequence.
function common(one, other) {
  const kept = [new Set(), new Set()]
  if (one.length * other.length > MOST_COMPARED) return null
  const [left, right] = [one, other].map((pieces) => pieces.map(({ text }) => text.toLowerCase()))
  const width = right.length + 1
  const longest = new Uint16Array((left.length + 1) * width)
  for (let i = left.length - 1; i >= 0; i--)
    for (let j = right.length - 1; j >= 0; j--)
      longest[i * width + j] = left[i] === right[j]
        ? longest[(i + 1) * width + j + 1] + 1 : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1])
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) { kept[0].add(i++); kept[1].add(j++) }
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++
    else j++
  }
  return kept
}

// Two texts side by side.
export function compared(original, paraphrase) {
  const sides = [original, paraphrase].map((text) => pieces(text.slice(0, MOST_SHOWN)))
  const kept = common(...sides)
  return h("div", { class: "texts" }, sides.map((side, at) => h("div", { class: at ? "paraphrase" : "original" },
    h("h3", {}, at ? "Paraphrase" : "Question"), h("p", {}, side.map((piece, n) => element(piece, kept !== null && !piece.space && !kept[at].has(n)))))))
}

function element(piece, marked) {
  const shown = piece.tex === undefined ? piece.text : formula(piece)
  return marked ? h("mark", {}, shown) : shown
}

let katex = null

// The library is large, and loaded by the first formula. Until then, and where TeX is wrong, the text stays as it is.
function formula({ text, tex, block }) {
  const place = h("span", { class: block ? "formula block" : "formula", title: tex }, text)
  if (visible(tex) !== tex) return place
  katex ??= import("./katex/katex.min.js").then(() => globalThis.katex)
  katex.then((library) => {
    const found = set(library, tex, block)
    if (!found) return
    place.replaceChildren(...found)
    place.setAttribute("role", "math")
    place.setAttribute("aria-label", tex)
  }, () => { katex = null }) // the next formula asks again
  return place
}

// The nodes of a formula; null where TeX is wrong, where they would be more or deeper than a browser can lay out, and
// where TeX has written marks that cannot be seen.
function set(library, tex, block) {
  const place = h("span")
  try {
    library.render(tex, place, { displayMode: block, throwOnError: true, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200, output: "html" })
  } catch {
    return null
  }
  const waiting = [[place, 0]]
  for (let nodes = 0; waiting.length; nodes++) {
    const [node, depth] = waiting.pop()
    if (depth > DEEPEST || nodes > MOST_NODES) return null
    for (const child of node.childNodes) waiting.push([child, depth + 1])
  }
  const written = place.textContent.replaceAll("\u200b", "") // the library's own
  return visible(written) === written ? place.childNodes : null
}
