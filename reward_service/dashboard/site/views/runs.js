// All runs in use, live; those that need a look come first.

import { follow } from "../api.js"
import { sparkline } from "../charts.js"
import { fill, h, link } from "../dom.js"
import { ago, count, figure, percent, rate } from "../format.js"
import { CONCERNS, abstained, urgency } from "../signs.js"

const SHOWN = 100
const PAUSE_MS = 250 // between two drawings, while much is told
const FIRST_MS = 50 // the list comes in pieces, one right after the other: they are drawn once
const SORTS = {
  look: ["what needs a look", (row) => [-urgency(row.concerns), -row.last_used_s]],
  used: ["last seen", (row) => [-row.last_used_s]],
  name: ["name", (row) => [row.run]],
  reward: ["reward, the lowest first", (row) => [row.signs?.reward ?? Infinity]],
  accuracy: ["label accuracy, the lowest first", (row) => [row.signs?.label_accuracy ?? Infinity]],
  abstained: ["abstained, the most first", (row) => [-(row.signs ? abstained(row.signs) : 0)]],
}

const COLUMNS = [
  ["Run", (row) => link(["runs", row.run], row.run)],
  ["Needs a look", (row) => concerns(row.concerns)],
  ["Method", (row) => row.method],
  ["Step", (row) => count(row.signs?.step), true],
  ["Rollouts/s", (row) => rate(row.rollouts_per_s), true],
  ["Reward", (row) => [figure(row.signs?.reward), sparkline("Reward", row.recent.reward)], true],
  ["Vote share", (row) => percent(row.signs?.vote_share), true],
  ["Distinct answers", (row) => [figure(row.signs?.distinct_answers), sparkline("Distinct answers", row.recent.distinct_answers)], true, "Different answers in a group, the mean"],
  ["Views agree", (row) => percent(row.signs?.view_agreement), true, "Questions both of whose views have the same label"],
  ["Gave the label", (row) => percent(row.signs?.label_agreement), true, "With a teacher: how far teacher and policy agree"],
  ["Abstained", (row) => reasons(row.signs), true, "Rollouts without a reward, by reason"],
  ["Label accuracy", (row) => percent(row.signs?.label_accuracy), true, "Where ground truths were sent"],
  ["Last seen", (row) => ago(row.last_used_s), true],
]

export function concerns(names) {
  return names.map((name) => h("span", { class: "chip", title: CONCERNS[name]?.[1] }, CONCERNS[name]?.[0] ?? name))
}

function reasons(signs) {
  if (!signs) return "–"
  const told = Object.entries(signs.abstentions ?? {}).map(([reason, n]) => `${reason} ${count(n)}`).join(", ")
  return h("span", { title: told || null }, percent(abstained(signs)), told && h("small", {}, ` ${told}`))
}

export function runs(page) {
  const rows = new Map()
  const drawn = new Map()
  let most = SHOWN
  let due = 0

  page.title("Runs")
  const summary = h("p", { class: "quiet", role: "status" })
  const search = h("input", { type: "search", id: "search", placeholder: "a part of its name", oninput: () => draw() })
  const sort = h("select", { id: "sort", onchange: () => draw() },
    Object.entries(SORTS).map(([name, [words]]) => h("option", { value: name, selected: page.query.get("sort") === name }, words)))
  const body = h("tbody")
  const more = h("button", { type: "button", hidden: true, onclick: () => { most += 5 * SHOWN; draw() } })
  const head = COLUMNS.map(([name, , number, title]) => h("th", { scope: "col", class: number && "number", title }, name))
  page.root.append(
    h("div", { class: "controls" }, h("label", { for: "search" }, "Search"), search, h("label", { for: "sort" }, "Sorted by"), sort),
    summary,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      h("table", { class: "cards", id: "runs" }, h("caption", { class: "hidden" }, "Runs in use"), h("thead", {}, h("tr", {}, head)), body)),
    more)

  function draw() {
    due = 0
    const [, by] = SORTS[sort.value]
    const wanted = search.value.trim().toLowerCase()
    const found = [...rows.values()].filter((row) => row.run.toLowerCase().includes(wanted))
    const keyed = found.map((row) => [[...by(row), row.run], row]).sort(([one], [other]) => compared(one, other))
    const shown = keyed.slice(0, most).map(([, row]) => row)
    const held = document.activeElement?.closest?.("tr")?.dataset.run
    const wants = shown.map(rowOf)
    if (wants.length !== body.children.length || wants.some((each, at) => each !== body.children[at])) fill(body, wants)
    if (held && document.activeElement === document.body) drawn.get(held)?.element.querySelector("a")?.focus()
    const looking = found.filter((row) => row.concerns.length).length
    const said = rows.size === 0 ? "No run is in use yet: a run appears with its first rollouts."
      : `${count(found.length)} ${found.length === 1 ? "run" : "runs"}, ${count(looking)} of them to look at.`
    if (summary.textContent !== said) summary.textContent = said
    more.hidden = keyed.length <= most
    more.textContent = `Show ${count(Math.min(5 * SHOWN, keyed.length - most))} more`
  }

  // A row that has not changed stays the element that it is.
  function rowOf(row) {
    const known = drawn.get(row.run)
    const said = JSON.stringify(row) + ago(row.last_used_s)
    if (known?.said === said) return known.element
    const cells = COLUMNS.map(([name, of, number], at) => h(at ? "td" : "th", { scope: at ? null : "row", class: number && "number", "data-name": name }, h("div", {}, of(row))))
    const element = h("tr", { "data-run": row.run, class: row.concerns.length && "looked-for" }, cells)
    drawn.set(row.run, { said, element })
    return element
  }

  return new Promise((resolve, reject) => {
    page.onEnd(resolve)
    const told = (news) => {
      for (const { name, data } of news) {
        if (name === "fresh") { rows.clear(); drawn.clear() }
        if (name === "runs") for (const row of data) rows.set(row.run, row)
        if (name === "trouble") page.tell(data[0].detail ? "away" : "live", data[0].detail)
      }
      due ||= setTimeout(draw, drawn.size ? PAUSE_MS : FIRST_MS)
      resolve()
    }
    page.onEnd(follow("v1/events", told, (state, problem) => (state === "refused" ? (reject(problem), page.failed(problem)) : page.tell(state, problem?.message))))
    const clock = setInterval(draw, 10_000)
    page.onEnd(() => { clearInterval(clock); clearTimeout(due) })
  })
}

function compared(one, other) {
  for (let at = 0; at < one.length; at++) {
    if (one[at] < other[at]) return -1
    if (one[at] > other[at]) return 1
  }
  return 0
}
