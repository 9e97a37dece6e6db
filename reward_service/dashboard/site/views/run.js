// A run over its steps, alone or with another laid over it.

import { ask, follow, repeat } from "../api.js"
import { Curves, curveOf } from "../charts.js"
import { address, definitions, h, link, refill, table } from "../dom.js"
import { ago, count, list, rate } from "../format.js"
import { SIGNS } from "../signs.js"
import { concerns } from "./runs.js"

const MOST_STEPS = 1000
const IN_TABLE = 20
const WAITS = {
  teacher: "a teacher process: none was seen in the last 10 s",
  update: "the trainer's weights of the step",
  average: "announced weights that are not in the average yet",
  generation: "the teacher's answers",
}
// What the views show apart from settings.
const TOLD = new Set(["run", "state", "signs", "concerns", "teacher", "last_used_s", "rollouts_per_s", "revision", "absent_peers"])

export async function run(page) {
  const [name] = page.path
  const other = page.query.get("with")
  const names = other && other !== name ? [name, other] : [name]

  page.title(names.length > 1 ? `${name} and ${other}` : name)
  const heads = names.map(() => h("section", { class: "card" }))
  const curves = SIGNS.map(([words, , write, note]) => new Curves(words, note, names, write))
  const figures = h("div")
  page.root.append(
    h("nav", { class: "links", "aria-label": "Of this run" },
      link(["runs", name, "questions"], "Questions in doubt", { sort: "flips" }),
      link(["runs", name, "questions"], "Cohorts", { sort: "cohorts" }),
      link(["runs", name, "questions"], "Quarantine", { sort: "quarantine" }),
      comparison(page, name, other)),
    h("div", { class: "heads" }, heads),
    h("h2", {}, "Over the steps"),
    h("div", { class: "curves" }, curves.map((each) => each.element)),
    h("details", {}, h("summary", {}, `Figures of the last ${IN_TABLE} steps`), figures))
  page.onEnd(() => curves.forEach((each) => each.end()))

  const known = names.map(() => ({ run: null, steps: new Map(), teacher: null }))
  let due = 0

  function draw() {
    due = 0
    const latest = known.map((each) => lastAttempts(each.steps))
    SIGNS.forEach(([, of], at) => curves[at].set(latest.map((steps) => new Map([...steps].map(([step, signs]) => [step, of(signs) ?? null])))))
    refill(figures, names.map((each, at) => stepTable(each, latest[at])))
    heads.forEach((head, at) => known[at].run && refill(head, headOf(known[at], names.length > 1 ? at : null)))
  }
  page.onEnd(() => cancelAnimationFrame(due))

  names.forEach((each, at) => page.onEnd(repeat(async (signal) => {
    if (!known[at].run || !asksTeacher(known[at].run)) return
    known[at].teacher = await ask("v1/teacher", { run: each }, signal).catch(() => null)
    due ||= requestAnimationFrame(draw)
  }, 5000)))

  await Promise.all(names.map((each, at) => new Promise((resolve, reject) => {
    page.onEnd(resolve)
    const told = (news) => {
      for (const { name: event, data } of news) {
        if (event === "fresh") known[at].steps.clear()
        if (event === "run") known[at].run = data[0]
        if (event === "steps") for (const signs of data) known[at].steps.set(placeOf(signs), signs)
        if (event === "trouble") page.tell(data[0].detail ? "away" : "live", data[0].detail)
      }
      due ||= requestAnimationFrame(draw)
      if (known[at].run) resolve()
    }
    const state = (now, problem) => (now === "refused" ? (reject(problem), page.failed(problem)) : page.tell(now, problem?.message))
    page.onEnd(follow(`v1/runs/${encodeURIComponent(each)}/events`, told, state))
  })))
}

const placeOf = (signs) => `${signs.step}:${signs.attempt}`

// Of a step that was done again the last attempt counts; as many steps as the service keeps. Others are forgotten: a page
// may be open for all of a long training.
function lastAttempts(steps) {
  const found = new Map()
  const sorted = [...steps.values()].sort((one, other) => one.step - other.step || one.attempt - other.attempt)
  for (const signs of sorted.slice(0, -MOST_STEPS)) steps.delete(placeOf(signs))
  for (const signs of sorted) found.set(signs.step, signs)
  return new Map([...found].slice(-MOST_STEPS))
}

const asksTeacher = (told) => told.teacher.announced !== null || told.teacher.asked + told.teacher.making + told.state.waiting_for_teacher > 0

// `place` is that of the run among two.
function headOf({ run: told, teacher }, place) {
  const { state } = told
  const waits = [
    ["Open cohorts", count(state.open), "Cohorts that lack ballots"],
    ["Wait for a worker", count(state.queued), "Jobs in the queue"],
    ["Wait for the teacher", count(state.waiting_for_teacher), "Requests whose labels the teacher has not made"],
    ["Wait for peers", state.waiting_for_peers ? `${count(state.waiting_for_peers)} (${told.peers.join(", ")})` : null],
    ["Absent peers", told.absent_peers?.join(", ") ?? null, "They have cast no ballot for a whole deadline: nothing waits for them"],
    ["The teacher waits for", teacher?.waiting_for ? WAITS[teacher.waiting_for] ?? teacher.waiting_for : null],
    ["Refused weights", teacher?.refused ?? null],
  ]
  const stands = [
    ["Teacher", asksTeacher(told) ? `version ${count(told.teacher.version)}, ${count(told.teacher.lag)} behind` : null],
    ["Its processes", teacher ? `${count(teacher.teachers)}${teacher.model ? ` of ${teacher.model}` : ""}` : null],
    ["Labels asked for, being made", asksTeacher(told) ? `${count(told.teacher.asked)}, ${count(told.teacher.making)}` : null],
  ]
  const settings = Object.entries(told).filter(([field, value]) => !TOLD.has(field) && value !== null)
  return [
    place !== null && h("h2", {}, curveOf(place), link(["runs", told.run], told.run)),
    told.concerns.length > 0 && h("p", {}, "Look at: ", concerns(told.concerns)),
    definitions([
      ["Method", told.method],
      ["Step", count(told.signs?.step)],
      ["Rollouts/s", rate(told.rollouts_per_s)],
      ["Last seen", ago(told.last_used_s)],
      ["Settled", count(state.settled), "Cohorts with a label"],
      ["Abstained", count(state.abstained), "Cohorts without"],
      ["Without a reward, last step", told.signs ? list(told.signs.abstentions ?? {}) : null],
      ...waits,
      ...stands,
    ]),
    h("details", {}, h("summary", {}, "Settings"), definitions(settings.map(([field, value]) => [field, Array.isArray(value) ? value.join(", ") || "none" : String(value)]))),
  ]
}

function stepTable(name, steps) {
  const rows = [...steps.values()].slice(-IN_TABLE).reverse()
  const columns = [{ name: "Step", number: true, of: (signs) => count(signs.step) },
    ...SIGNS.map(([words, of, write, title]) => ({ name: words, number: true, title, of: (signs) => write(of(signs)) }))]
  return table(name, columns, rows)
}

function comparison(page, name, other) {
  const choice = h("select", { id: "with" }, h("option", { value: "" }, "no other run"), other && h("option", { value: other, selected: true }, other))
  choice.addEventListener("change", () => { location.hash = address(["runs", name], { with: choice.value }) })
  ask("v1/runs", { limit: 500 }, page.signal).then(({ runs }) => {
    choice.append(...runs.map((each) => each.run).filter((each) => each !== name && each !== other).sort().map((each) => h("option", { value: each }, each)))
  }).catch(() => {})
  return [h("label", { for: "with" }, "Laid over it"), choice]
}
