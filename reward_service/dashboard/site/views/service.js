// What the service is made of: processes, store, queue, teachers.

import { ask, askText, repeat } from "../api.js"
import { definitions, h, link, refill, table } from "../dom.js"
import { NONE, ago, bytes, count, duration, figure, rate } from "../format.js"
import { Metrics } from "../metrics.js"

const LOOK_MS = 5000

export async function service(page) {
  page.title("Service")
  const found = h("div")
  page.root.append(found)
  const { version } = await ask("version", {}, page.signal)
  let before = null
  const look = async (signal) => {
    const now = { at: performance.now() / 1000, metrics: new Metrics(await askText("metrics", signal)) }
    const ready = await ask("ready", {}, signal).catch((problem) => ({ status: problem.message, workers: 0 }))
    refill(found, shown(now, before, ready, version))
    before = now
    page.tell("live")
  }
  await look(page.signal)
  page.onEnd(repeat((signal) => look(signal).catch(page.lost), LOOK_MS, LOOK_MS))
}

// How fast a counter grows between two looks.
function growth(now, before, name, labels) {
  if (!before) return undefined
  const passed = now.at - before.at
  return passed > 0 ? Math.max(0, now.metrics.sum(name, labels) - before.metrics.sum(name, labels)) / passed : undefined
}

function shown(now, before, ready, version) {
  const { metrics } = now
  const runs = [...new Set(metrics.of("waiting").map((each) => each.labels.run))]
  const oldest = Math.max(0, ...metrics.of("oldest_job_seconds").map((each) => each.value))
  const up = metrics.value("store_up") === 1
  const roles = metrics.of("process_restarts_total").map((each) => each.labels.role).filter((role) => role !== "store")
  const embedded = metrics.of("process_restarts_total", { role: "store" })
  const waiting = (what) => metrics.sum("waiting", { what })
  const busy = runs.filter((run) => metrics.of("waiting", { run }).some((each) => each.value > 0) || metrics.of("teachers", { run }).some((each) => each.value > 0))
  return [
    h("p", {}, h("span", { class: ready.status === "ready" ? "chip good" : "chip" }, ready.status === "ready" ? "able to serve" : ready.status), ` version ${version}`),
    h("h2", {}, "Store"),
    definitions([
      ["State", up ? "answers" : "is away"],
      ["Memory", bytes(metrics.value("store_bytes"))],
      ["CPU", percentOf(growth(now, before, "store_cpu_seconds_total"))],
      ["Runs for", duration(metrics.value("store_uptime_seconds"))],
      ["Restarts", embedded.length > 0 ? count(embedded[0].value) : null, "Of the embedded server, since the service was started"],
    ]),
    h("h2", {}, "Queue"),
    definitions([
      ["Worker processes", count(metrics.value("workers")), "Seen in the last 10 s, of every service at this store"],
      ["Workers lost", count(metrics.value("workers_lost_total")), "Seen no more for 10 s, and had not said that they stop; of every service at this store"],
      ["Jobs that wait for a worker", count(waiting("queued"))],
      ["The oldest of them", oldest > 0 ? duration(oldest) : NONE],
      ["Open cohorts", count(waiting("open"))],
      ["Wait for a teacher", count(waiting("teacher"))],
      ["Wait for peers", count(waiting("peers"))],
      ["Settled in a second", rate(growth(now, before, "cohorts_settled_total"))],
      ["Taken over from workers that died", count(metrics.value("jobs_claimed_total"))],
      ["Jobs that failed", count(metrics.value("job_failures_total"))],
      ["Comparisons left undecided", count(metrics.value("comparisons_undecided_total"))],
    ]),
    h("h2", {}, "Processes"),
    table("Of this service, by role, all of its processes together; restarts since the service was started", [
      { name: "Role", of: (role) => role },
      { name: "Alive", number: true, of: (role) => count(metrics.value("processes", { role })) },
      { name: "Restarts", number: true, of: (role) => count(metrics.value("process_restarts_total", { role })) },
      { name: "Last start", number: true, of: (role) => ago(metrics.value("process_start_time_seconds", { role })) },
      { name: "Memory", number: true, of: (role) => bytes(metrics.value("process_resident_bytes", { role })) },
      { name: "CPU", number: true, of: (role) => percentOf(growth(now, before, "process_cpu_seconds_total", { role })) },
    ], roles, { class: "cards" }),
    h("h2", {}, "Teachers, and what waits, by run"),
    busy.length === 0 ? h("p", {}, "Nothing waits.") : table("Runs", [
      { name: "Run", of: (run) => link(["runs", run], run) },
      { name: "Open", number: true, of: (run) => count(metrics.value("waiting", { run, what: "open" })) },
      { name: "Queued", number: true, of: (run) => count(metrics.value("waiting", { run, what: "queued" })) },
      { name: "Oldest", number: true, of: (run) => duration(metrics.value("oldest_job_seconds", { run })) },
      { name: "Wait for the teacher", number: true, of: (run) => count(metrics.value("waiting", { run, what: "teacher" })) },
      { name: "Wait for peers", of: (run) => metrics.of("peer_groups_awaited", { run }).map((each) => `${each.labels.peer} ${count(each.value)}`).join(", ") || count(metrics.value("waiting", { run, what: "peers" })) },
      { name: "Teachers", of: (run) => metrics.of("teachers", { run }).filter((each) => each.value > 0).map((each) => `${count(each.value)} (waiting for ${each.labels.waiting_for})`).join(", ") || NONE },
      { name: "Teachers lost", number: true, of: (run) => count(metrics.value("teachers_lost_total", { run })) },
      { name: "Version", number: true, of: (run) => count(metrics.value("teacher_version", { run })) },
      { name: "Lag", number: true, of: (run) => count(metrics.value("teacher_lag_steps", { run })) },
    ], busy, { class: "cards" }),
    h("h2", {}, "Paraphrasers"),
    definitions([
      ["Processes", count(metrics.value("paraphrasers"))],
      ["Running jobs", count(metrics.value("paraphrase_jobs", { state: "running" }))],
      ["Paused jobs", count(metrics.value("paraphrase_jobs", { state: "paused" }))],
      ["Questions that wait", count(metrics.value("paraphrase_questions", { what: "waiting" }))],
      ["Being made", count(metrics.value("paraphrase_questions", { what: "making" }))],
      ["The oldest job", duration(metrics.value("paraphrase_oldest_job_seconds"))],
    ]),
    h("h2", {}, "Requests"),
    table("By route", [
      { name: "Route", of: (route) => route },
      { name: "In a second", number: true, of: (route) => rate(growth(now, before, "requests_total", { route })) },
      { name: "Answered", number: true, of: (route) => count(metrics.sum("requests_total", { route })) },
      { name: "Refused or failed", number: true, of: (route) => count(metrics.of("requests_total", { route }).filter((each) => each.labels.status >= "400").reduce((sum, each) => sum + each.value, 0)) },
      { name: "Seconds, the mean", number: true, of: (route) => figure(metrics.sum("request_seconds_sum", { route }) / metrics.sum("request_seconds_count", { route })) },
    ], [...new Set(metrics.of("requests_total").map((each) => each.labels.route))].sort(), { class: "cards" }),
  ]
}

const percentOf = (share) => (share === undefined ? NONE : `${Math.round(share * 100)} % of a core`)
