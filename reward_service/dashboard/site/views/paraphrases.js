// Paraphrase jobs with their progress, and the pairs of a job.

import { ask, lines, repeat } from "../api.js"
import { definitions, fill, h, link, refill, table } from "../dom.js"
import { count, figure, list } from "../format.js"
import { compared } from "../texts.js"

const PAGE = 20
const LOOK_MS = 3000
const SHOWS = {
  all: ["all", () => true],
  rewritten: ["accepted", (row) => row.accepted],
  rejected: ["not accepted", (row) => !row.accepted],
}

function progress(job) {
  return [h("progress", { max: Math.max(1, job.questions), value: job.done, "aria-label": `${job.done} of ${job.questions} questions are done` }), ` ${count(job.done)} of ${count(job.questions)}`]
}

export async function jobs(page) {
  page.title("Paraphrases")
  const found = h("div")
  page.root.append(found)
  const columns = [
    { name: "Job", of: (job) => link(["paraphrases", job.job], job.job) },
    { name: "Run", of: (job) => job.run },
    { name: "From", of: (job) => job.source },
    { name: "State", of: (job) => job.state + (job.state === "running" && job.paraphrasers === 0 ? ", waits for a paraphraser" : "") },
    { name: "Progress", of: progress },
    { name: "Being made", number: true, of: (job) => count(job.making) },
    { name: "Outcomes", of: (job) => list(job.fates) },
    { name: "Made at", of: (job) => job.created_at },
  ]
  let said = ""
  const look = async (signal) => {
    const told = await ask("v1/paraphrases/jobs", {}, signal)
    if (JSON.stringify(told) === said) return
    said = JSON.stringify(told)
    refill(found, told.jobs.length ? table("Jobs", columns, told.jobs, { class: "cards" }) : h("p", {}, "No job is kept. docs/paraphrasing.md says how one is made."))
  }
  await look(page.signal)
  page.tell("live")
  page.onEnd(repeat((signal) => look(signal).then(() => page.tell("live"), page.lost), LOOK_MS, LOOK_MS))
}

export async function job(page) {
  const [name] = page.path
  const path = `v1/paraphrases/jobs/${encodeURIComponent(name)}`
  page.title(`Job ${name}`)
  const head = h("div")
  const pairs = h("div")
  const next = h("button", { type: "button", class: "more" }, "Show more")
  const show = h("select", { id: "show" }, Object.entries(SHOWS).map(([value, [words]]) => h("option", { value }, words)))
  page.root.append(h("p", { class: "crumbs" }, link(["paraphrases"], "Paraphrases")), head,
    h("h2", {}, "Pairs"), h("p", { class: "quiet" }, "Words that are not in both texts are marked."),
    h("div", { class: "controls" }, h("label", { for: "show" }, "Show"), show), pairs, next)
  const look = async (signal) => {
    const told = await ask(path, {}, signal)
    fill(head, definitions([
      ["State", told.state], ["Run", told.run], ["From", told.source], ["Progress", progress(told)], ["Outcomes", list(told.fates)],
      ["Candidates by prompt", list(told.drawn)], ["Accepted", list(told.accepted)], ["Rejected by", list(told.rejected)],
    ]))
  }
  await look(page.signal)
  page.tell("live")
  page.onEnd(repeat((signal) => look(signal).then(() => page.tell("live"), page.lost), LOOK_MS, LOOK_MS))

  // Each page of pairs is read anew behind those that are known: an answer that waits for its reader is given up by the
  // service, and would keep one of the browser's few connections.
  let known = new Set()
  const begin = () => {
    known = new Set()
    fill(pairs)
    return more()
  }
  const more = async () => {
    const mine = known
    next.disabled = true
    const [, wanted] = SHOWS[show.value]
    let shown = 0
    for await (const line of lines(`${path}/results`, { partial: true }, page.signal)) {
      if (known !== mine) return // another outcome is shown by now
      const row = line ? JSON.parse(line) : null
      if (!row || mine.has(row.question_id)) continue
      mine.add(row.question_id)
      if (!wanted(row)) continue
      pairs.append(pair(row))
      if (++shown === PAGE) break
    }
    if (known !== mine) return
    next.hidden = shown < PAGE
    if (!pairs.childElementCount) fill(pairs, h("p", {}, "No question has such an outcome yet."))
    next.disabled = false
  }
  show.addEventListener("change", () => begin().catch(page.failed))
  next.addEventListener("click", () => more().catch(page.failed))
  await begin()
}

function pair(row) {
  const told = row.candidates.find((each) => each.text === row.paraphrase) ?? row.candidates.at(-1)
  const checks = Object.entries(row.checks ?? {}).filter(([, passed]) => passed === false).map(([name]) => name)
  return h("article", { class: "pair" },
    h("h3", {}, row.question_id, " ", h("span", { class: `chip ${row.accepted ? "good" : ""}` }, row.fate)),
    compared(row.question ?? "", row.paraphrase ?? told?.text ?? ""),
    row.reasons.length > 0 && h("ul", { class: "why" }, row.reasons.map((each) => h("li", {}, each))),
    row.error && h("p", { class: "problem" }, row.error),
    h("p", { class: "quiet" }, [told && `doubt ${figure(told.doubt)}`, checks.length && `objections: ${checks.join(", ")}`, row.ground_truth && `ground truth ${row.ground_truth}`].filter(Boolean).join(" · ")),
    row.candidates.length > 1 && h("details", {}, h("summary", {}, `${count(row.candidates.length)} candidates`),
      h("ol", {}, row.candidates.map((each) => h("li", {}, `${each.prompt}, ${each.accepted ? "accepted" : "rejected"}: ${each.text}`,
        each.reasons.length > 0 && h("ul", { class: "why" }, each.reasons.map((reason) => h("li", {}, reason))))))))
}
