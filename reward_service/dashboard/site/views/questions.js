// The questions of a run: in doubt, in quarantine, or by their cohorts; and one question over the steps.

import { ask } from "../api.js"
import { definitions, fill, h, link, table } from "../dom.js"
import { count, figure, percent } from "../format.js"

const PAGE = 50
const TABS = {
  flips: "Label changes most",
  disagreement: "Voters or views disagree most",
  share: "Smallest vote shares",
  quarantine: "In quarantine",
  cohorts: "Cohorts",
}

export async function questions(page) {
  const [run] = page.path
  const sort = page.query.get("sort") in TABS ? page.query.get("sort") : "flips"
  page.title(`Questions of ${run}`)
  const name = h("input", { id: "question", required: true, placeholder: "math/17" })
  const find = (event) => { event.preventDefault(); location.hash = to(run, name.value) }
  const found = h("div")
  page.root.append(
    crumbs(run),
    h("nav", { class: "tabs", "aria-label": "Which questions" }, Object.entries(TABS).map(([each, words]) =>
      h("a", { href: `#/runs/${encodeURIComponent(run)}/questions?sort=${each}`, "aria-current": each === sort ? "true" : null }, words))),
    h("form", { class: "controls", onsubmit: find }, h("label", { for: "question" }, "A question by its id"), name, h("button", { type: "submit" }, "Show")),
    found)
  const show = { quarantine, cohorts }[sort] ?? doubtful
  await show(page, run, found, sort)
}

const place = (run, question) => [["runs", run, "question"], { id: question }]
const to = (run, question) => link(place(run, question)[0], "", place(run, question)[1]).getAttribute("href")
const toQuestion = (run, question) => link(place(run, question)[0], question, place(run, question)[1])

export function crumbs(run, ...more) {
  return h("p", { class: "crumbs" }, link([], "Runs"), " › ", link(["runs", run], run), more.map((each) => [" › ", each]))
}

// Adds a table for each page of a list, and a button for the next one.
async function paged(page, found, path, query, rowsOf) {
  const next = h("button", { type: "button", class: "more" }, "Show more")
  const places = h("div")
  fill(found, places, next)
  let cursor = null
  const load = async () => {
    next.disabled = true
    const answer = await ask(path, { ...query, cursor }, page.signal)
    places.append(rowsOf(answer, places.childElementCount))
    cursor = answer.cursor
    next.hidden = cursor === null
    next.disabled = false
  }
  next.addEventListener("click", () => load().catch(page.failed))
  await load()
}

const ofRun = (run) => `v1/runs/${encodeURIComponent(run)}`

function doubtful(page, run, found, sort) {
  const columns = [
    { name: "Question", of: (row) => toQuestion(run, row.question_id) },
    { name: "Label changes", number: true, of: (row) => count(row.flips) },
    { name: "Disagreement", number: true, of: (row) => percent(row.disagreement) },
    { name: "Vote share", number: true, of: (row) => percent(row.share) },
    { name: "Last labels", of: (row) => Object.entries(row.labels).map(([view, labels]) => h("div", {}, `${view}: `, labels.map((each, at) => [at > 0 && " → ", h("code", {}, each.answer)]))) },
  ]
  return paged(page, found, `${ofRun(run)}/questions`, { sort, limit: PAGE },
    (answer, before) => {
      if (answer.questions.length) return table("Questions", columns, answer.questions, { class: "cards" })
      return before ? "" : noLabels(run, answer.history)
    })
}

function noLabels(run, kept) {
  const why = kept
    ? ["The run keeps the last labels of each question, and has none yet. "]
    : ["This list needs the last labels of each question. The run does not keep them, because its setting ", h("code", {}, "history"), " is off. To keep those of later steps, send the run's settings again with ",
        h("code", {}, '"history": true'), " (", h("code", {}, `PUT /v1/runs/${run}`), "). "]
  return h("p", {}, why, h("a", { href: `#/runs/${encodeURIComponent(run)}/questions?sort=cohorts` }, "Look at its cohorts"), " in its place.")
}

async function quarantine(page, run, found) {
  const told = await ask(`${ofRun(run)}/quarantine`, { limit: 1000 }, page.signal)
  const columns = [
    { name: "Question", of: (row) => toQuestion(run, row.question_id) },
    { name: "Seen", number: true, of: (row) => count(row.seen), title: "How often both views were labelled firmly" },
    { name: "Disagreed", number: true, of: (row) => count(row.disagreed) },
    { name: "Evidence", number: true, of: (row) => figure(row.evidence), title: "In nats: ln of the odds that the pair is a bad one" },
  ]
  fill(found,
    definitions([["Setting", told.quarantine], ["Pairs seen", count(told.pairs_seen)], ["In quarantine", count(told.pairs_quarantined)], ["Other pairs disagree", percent(told.others_disagree)]]),
    told.pairs.length ? table("Pairs in quarantine", columns, told.pairs, { class: "cards" }) : h("p", {}, "No pair is in quarantine."))
}

function cohorts(page, run, found) {
  const columns = [
    { name: "Cohort", of: (row) => link(["cohorts", row.cohort], row.question_id) },
    ...COHORT,
  ]
  return paged(page, found, `${ofRun(run)}/cohorts`, { limit: 20 },
    (answer, before) => (answer.cohorts.length ? table("Cohorts", columns, answer.cohorts, { class: "cards" }) : before || answer.cursor ? "" : h("p", {}, "No cohort is kept.")))
}

const COHORT = [
  { name: "Step", number: true, of: (row) => count(row.step) },
  { name: "Attempt", number: true, of: (row) => count(row.attempt) },
  { name: "State", of: (row) => row.state },
  { name: "Labels", of: (row) => row.labels.map((label) => h("div", {}, `${label.view}: `, h("code", {}, label.answer), ` ${votes(label)}`, truth(label))) },
]

export const votes = (label) => (label.of ? `${figure(label.votes).replace(/\.00$/, "")} of ${figure(label.of).replace(/\.00$/, "")} votes` : label.voter)
export const truth = (label) => (label.matches_truth === undefined || label.matches_truth === null ? null : h("span", { class: label.matches_truth ? "right" : "wrong" }, label.matches_truth ? " right" : " wrong"))

export async function question(page) {
  const [run] = page.path
  const id = page.query.get("id") ?? ""
  page.title(`Question ${id}`)
  const found = h("div")
  page.root.append(crumbs(run, link(["runs", run, "questions"], "Questions")), h("p", { class: "quiet" }, "Its labels over the steps, the latest first. A row leads to the ballots."), found)
  const columns = [
    { name: "Cohort", of: (row) => link(["cohorts", row.cohort], row.step === null ? "without a step" : `step ${row.step}`) },
    ...COHORT.slice(1),
    { name: "Views", of: (row) => row.views.join(", ") },
  ]
  await paged(page, found, "v1/cohorts", { question_id: id, run, limit: 20 },
    (answer, before) => (answer.cohorts.length ? table("Labels over the steps", columns, answer.cohorts, { class: "cards" }) : before || answer.cursor ? "" : h("p", {}, "No cohort of this question is kept in this run.")))
}
