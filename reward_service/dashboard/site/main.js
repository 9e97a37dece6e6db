// The page: which view an address shows, the key, and how it looks.

import { Problem, key, passing } from "./api.js"
import { fill, h, visible } from "./dom.js"
import { keep, kept } from "./session.js"
import { login } from "./views/login.js"
import { cohort } from "./views/cohort.js"
import { job, jobs } from "./views/paraphrases.js"
import { question, questions } from "./views/questions.js"
import { run } from "./views/run.js"
import { runs } from "./views/runs.js"
import { service } from "./views/service.js"

// A view is called with what it may use, and returns what ends it, or nothing.
const ROUTES = [
  [/^\/?$/, runs],
  [/^\/runs\/([^/]+)$/, run],
  [/^\/runs\/([^/]+)\/questions$/, questions],
  [/^\/runs\/([^/]+)\/question$/, question],
  [/^\/cohorts\/([^/]+)$/, cohort],
  [/^\/paraphrases$/, jobs],
  [/^\/paraphrases\/([^/]+)$/, job],
  [/^\/service$/, service],
]
const STATES = { live: "live", away: "connection lost, trying again", refused: "", still: "" }

const main = document.getElementById("content")
const live = document.getElementById("live")
const leave = document.getElementById("leave")
let end = null

async function show() {
  end?.()
  end = null
  const ended = new AbortController()
  const [path, query] = location.hash.replace(/^#/, "").split("?")
  const found = ROUTES.map(([pattern, view]) => [pattern.exec(path), view]).find(([match]) => match)
  tell("still")
  markPlace(path)
  const root = fill(main, h("p", { class: "quiet" }, "Loading …")).appendChild(h("div", { class: "view" }))
  const stops = []
  end = () => { ended.abort(); stops.forEach((stop) => stop()) }
  const page = {
    root,
    path: found ? found[0].slice(1).map(decoded) : [],
    query: new URLSearchParams(query ?? ""),
    signal: ended.signal,
    title: (text) => titled(root, text),
    ready: () => !ended.signal.aborted && main.querySelector(":scope > .quiet")?.remove(),
    tell: (state, detail) => !ended.signal.aborted && tell(state, detail), // what an earlier view still hears is not of this one
    onEnd: (stop) => (ended.signal.aborted ? stop() : stops.push(stop)),
    failed: (error) => !ended.signal.aborted && failed(error),
    // For what is looked at again and again: what may do in a moment ends nothing.
    lost: (error) => (passing(error) ? page.tell("away") : page.failed(error)),
  }
  if (!found) return nothing(page)
  try {
    await found[1](page)
    page.ready()
  } catch (error) {
    page.failed(error)
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function titled(root, text) {
  document.title = `${visible(String(text))} · Co-rewarding`
  const heading = h("h1", { tabindex: "-1" }, text)
  root.append(heading)
  if (show.again) heading.focus({ preventScroll: true }) // who follows a link by keyboard is told where it led
  show.again = true
}

function nothing(page) {
  page.title("There is no such page")
  page.root.append(h("p", {}, "The address leads nowhere. ", h("a", { href: "#/" }, "All runs")))
  page.ready()
}

function failed(error) {
  end?.()
  tell("still")
  if (error instanceof Problem && error.isOfTheKey) {
    leave.hidden = true
    return login(main, error, (value) => { key.set(value); leave.hidden = false; show() })
  }
  fill(main, h("h1", { tabindex: "-1" }, error instanceof Problem && error.status === 404 ? "It is not there" : "That did not work"),
    h("p", { class: "problem", role: "alert" }, error.message || String(error)),
    h("p", {}, h("button", { type: "button", onclick: show }, "Try again"), " ", h("a", { href: "#/" }, "All runs")))
}

function tell(state, detail) {
  live.className = state
  const said = detail ?? STATES[state]
  if (live.textContent !== said) live.textContent = said
}

function markPlace(path) {
  for (const each of document.querySelectorAll("#nav a")) {
    const place = each.getAttribute("href").slice(1)
    const here = place === "/" ? path === "" || path === "/" || path.startsWith("/runs") || path.startsWith("/cohorts") : path.startsWith(place)
    if (here) each.setAttribute("aria-current", "page")
    else each.removeAttribute("aria-current")
  }
}

const theme = document.getElementById("theme")
const dark = () => document.documentElement.dataset.theme === "dark"

function paint(name) {
  document.documentElement.dataset.theme = name
  theme.textContent = name === "dark" ? "Light" : "Dark"
  theme.setAttribute("aria-label", `Show the page ${name === "dark" ? "light" : "dark"}`)
  dispatchEvent(new Event("painted"))
}

const wanted = matchMedia("(prefers-color-scheme: dark)")
paint(kept("co-rewarding-theme") ?? (wanted.matches ? "dark" : "light"))
wanted.addEventListener("change", () => paint(wanted.matches ? "dark" : "light"))
theme.addEventListener("click", () => {
  paint(dark() ? "light" : "dark")
  keep("co-rewarding-theme", document.documentElement.dataset.theme)
})
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus() })
leave.hidden = key.get() === null
leave.addEventListener("click", () => { key.forget(); leave.hidden = true; location.hash = "#/"; show() })
addEventListener("hashchange", show)
show()
