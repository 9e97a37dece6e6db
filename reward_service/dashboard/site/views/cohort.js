// Why this reward: a cohort's labels, classes of equal answers, ballots, and what each earned.

import { ask } from "../api.js"
import { definitions, h, link, table } from "../dom.js"
import { count, figure } from "../format.js"
import { crumbs, truth, votes } from "./questions.js"

export async function cohort(page) {
  const [name] = page.path
  const told = await ask(`v1/cohorts/${encodeURIComponent(name)}`, {}, page.signal)
  page.title(`Cohort of ${told.question_id}`)
  const byView = Object.groupBy ? Object.groupBy(told.labels, (label) => label.view) : grouped(told.labels)
  page.root.append(
    crumbs(told.run, link(["runs", told.run, "question"], told.question_id, { id: told.question_id }), told.step === null ? "without a step" : `step ${told.step}`),
    definitions([
      ["State", told.state],
      ["Method", told.method],
      ["Step", count(told.step)],
      ["Attempt", count(told.attempt)],
      ["Cohort", h("code", {}, told.cohort)],
    ]),
    h("h2", {}, "Labels"),
    told.labels.length ? h("div", { class: "heads" }, told.labels.map(labelCard)) : h("p", {}, told.state === "open" ? "None yet: the cohort is open." : "None."),
    ...Object.entries(told.unlabelled).map(([view, why]) => h("p", {}, `The ${view} has no reward: ${why}.`)),
    h("h2", {}, "Classes of equal answers"),
    classTable(told),
    h("h2", {}, "Ballots and rewards"),
    ballotTable(told, byView))
}

function grouped(labels) {
  const found = {}
  for (const label of labels) (found[label.view] ??= []).push(label)
  return found
}

function labelCard(label) {
  return h("section", { class: "card" }, h("h3", {}, `Label of the ${label.view}`),
    h("p", { class: "label" }, h("code", {}, label.answer), truth(label)),
    definitions([
      ["Votes", votes(label)],
      ["Elected by", `${label.voter}${label.voted_on?.length ? `, on ${label.voted_on.join(" and ")}` : ""}`],
      ["Teacher version", label.teacher_version ?? null],
      ["Changed lately", label.instability === undefined || label.instability === null ? null : figure(label.instability)],
    ]))
}

function classTable(told) {
  const labelled = new Set(told.labels.map((label) => classOf(told, label)))
  const written = new Map()
  for (const { answer, answer_class: key } of told.ballots) {
    if (key !== null && answer !== null) written.set(key, (written.get(key) ?? new Set()).add(answer))
  }
  const total = Object.values(told.classes).reduce((sum, n) => sum + n, 0)
  const rows = Object.entries(told.classes).sort(([, one], [, other]) => other - one)
  const texts = (key) => [...(written.get(key) ?? [])]
  return rows.length === 0 ? h("p", {}, "No answer has a class yet.") : table("Classes", [
    { name: "Class", of: ([key]) => [h("code", {}, key), labelled.has(key) && h("span", { class: "chip good" }, "label")] },
    { name: "Votes", number: true, of: ([, n]) => [count(n), h("meter", { min: 0, max: total, value: n, "aria-label": `${n} of ${total} votes` })] },
    { name: "Written as", of: ([key]) => texts(key).map((text, at) => [at > 0 && ", ", h("code", {}, text)]) },
    { name: "Why they are one", of: ([key]) => reason(key, texts(key)) },
  ], rows, { class: "cards" })
}

// A class is named by the normal form of its answers; where the forms differ, the grader has compared them.
function reason(key, texts) {
  if (texts.length <= 1) return "one text"
  return `${texts.length} texts that the grader finds equal; their class is named by the normal form ${key.length > 60 ? `${key.slice(0, 60)}…` : key}`
}

// The class of a label is that of the ballots that wrote it.
function classOf(told, label) {
  return told.ballots.find((ballot) => ballot.answer === label.answer && ballot.answer_class !== null)?.answer_class ?? label.answer
}

function ballotTable(told, byView) {
  const classes = new Map(told.labels.map((label) => [label, classOf(told, label)]))
  return table("Ballots", [
    { name: "Rollout", of: (ballot) => (ballot.rollout === null ? "–" : count(ballot.rollout)) },
    { name: "View", of: (ballot) => ballot.view },
    { name: "Voter", of: (ballot) => ballot.voter },
    { name: "Answer", of: (ballot) => (ballot.answer === null ? h("span", { class: "quiet" }, "none") : h("code", {}, ballot.answer)) },
    { name: "Class", of: (ballot) => (ballot.answer_class === null ? "–" : h("code", {}, ballot.answer_class)) },
    { name: "Reward", number: true, of: (ballot) => (ballot.reward === null ? "–" : figure(ballot.reward)) },
    { name: "Why", of: (ballot) => why(told, ballot, byView[ballot.view]?.[0], classes) },
    { name: "Sent with it", of: (ballot) => sent(ballot) },
  ], told.ballots, { class: "cards", id: "ballots" })
}

function why(told, ballot, label, classes) {
  if (ballot.abstention) return `No reward (${ballot.abstention}): ${told.unlabelled[ballot.view]}.`
  if (ballot.reward === null) return told.state === "open" ? "The cohort is open." : `A ${ballot.voter}'s ballot votes and earns nothing.`
  const late = ballot.counted ? "" : " It came late or was replaced: rewarded, not voted."
  if (ballot.answer === null) return `No answer was found in the response.${late}`
  if (!label) return `The method ${told.method} elects no label for this view.${late}`
  const same = ballot.answer_class === classes.get(label)
  return `${same ? "Its answer equals" : "Its answer differs from"} the label of its view, ${label.answer.slice(0, 80)}.${late}`
}

function sent(ballot) {
  const told = { ...(ballot.ground_truth === null ? {} : { "ground truth": ballot.ground_truth }), ...ballot.statistics, ...ballot.evidence }
  return Object.entries(told).filter(([, value]) => value !== null).map(([name, value]) => h("div", {}, `${name}: ${typeof value === "number" ? figure(value) : value}`))
}
