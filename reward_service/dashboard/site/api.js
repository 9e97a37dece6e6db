// Ask the service. The key stays in the tab's session and goes nowhere but into the Authorization header.

import { forget, keep, kept } from "./session.js"

const KEY = "co-rewarding-key"
const MOST_KEY_BYTES = 8192 // a larger head is refused, and the connection closed
const SILENT_MS = 40_000 // the service says something every 15 s
const LONGEST_PAUSE_MS = 10_000
const MOST_UNREAD_CHARS = 64_000_000

export class Problem extends Error {
  constructor(status, title, detail, type = "") {
    super(detail || title || `status ${status}`)
    this.status = status
    this.title = title
    this.type = type
  }

  // Whether another key is to be asked for. One that is known, and does not open everything, stays.
  get isOfTheKey() {
    return this.status === 401 || (this.status === 403 && !/:(no-scope|other-run)$/.test(this.type))
  }
}

export const key = {
  get: () => kept(KEY),
  set: (value) => keep(KEY, value),
  forget: () => forget(KEY),
}

// Headers hold bytes; the service compares those of the key in UTF-8.
function bearer(shown) {
  const bytes = new TextEncoder().encode(shown)
  // What no header can hold would look like a service that is away.
  if (bytes.length > MOST_KEY_BYTES || bytes.some((byte) => byte < 32 || byte === 127)) throw new Problem(403, "No key is like that")
  return `Bearer ${Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")}`
}

// A browser asks for nothing below an address that holds a key (http://x:KEY@host/), but shows the page there.
const base = new URL(".", document.baseURI)
base.username = base.password = ""

async function sent(path, headers, signal) {
  const shown = key.get()
  const response = await fetch(new URL(path, base), {
    headers: shown ? { ...headers, authorization: bearer(shown) } : headers,
    credentials: "omit", // else the browser asks for a password by itself
    cache: "no-store",
    redirect: "error",
    signal,
  })
  if (response.ok) return response
  const told = await response.json().catch(() => ({}))
  throw new Problem(response.status, told.title ?? response.statusText, told.detail, told.type)
}

export async function ask(path, query = {}, signal = undefined) {
  return (await sent(path + asked(query), { accept: "application/json" }, signal)).json()
}

export async function askText(path, signal) {
  return (await sent(path, {}, signal)).text()
}

// Yields the lines of an answer as they come.
export async function* lines(path, query, signal) {
  const response = await sent(path + asked(query), {}, signal)
  let rest = ""
  for await (const text of texts(response)) {
    const whole = (rest + text).split("\n")
    rest = whole.pop()
    yield* whole
  }
  if (rest) yield rest
}

function asked(query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "")
  return pairs.length ? `?${new URLSearchParams(pairs)}` : ""
}

async function* texts(response) {
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

// Follows a path of events until the function that it returns is called. `onNews` gets lists of { name, data } that
// belong together, `onState` what the connection is: "live", "away" (with the problem, if the service told one), "refused"
// (with the problem; it does not go on).
export function follow(path, onNews, onState) {
  const ended = new AbortController()
  let seen = ""

  async function once() {
    const connection = new AbortController()
    const cut = () => connection.abort()
    const hide = () => document.hidden && cut() // a browser has six connections, and tabs that nobody sees keep them
    ended.signal.addEventListener("abort", cut)
    document.addEventListener("visibilitychange", hide)
    let silence = setTimeout(cut, SILENT_MS)
    try {
      const response = await sent(path, seen ? { "last-event-id": seen } : {}, connection.signal)
      onState("live")
      let rest = ""
      let news = []
      for await (const text of texts(response)) {
        clearTimeout(silence)
        silence = setTimeout(cut, SILENT_MS)
        const blocks = (rest + text).split("\n\n")
        rest = blocks.pop()
        if (rest.length > MOST_UNREAD_CHARS) throw new Error("an event is too long")
        for (const event of blocks.map(eventOf)) {
          if (event === null) continue
          news.push(event)
          if (event.name !== "seen") continue
          onNews(news)
          news = []
          seen = event.id
        }
      }
    } finally {
      clearTimeout(silence)
      ended.signal.removeEventListener("abort", cut)
      document.removeEventListener("visibilitychange", hide)
    }
  }

  async function forever() {
    let pause_ms = 500
    while (!ended.signal.aborted) {
      if (document.hidden) await seenAgain(ended.signal) // also of a tab that was opened behind others
      if (ended.signal.aborted) return
      const began = performance.now()
      let problem = null
      try {
        await once()
      } catch (error) {
        if (ended.signal.aborted) return
        const lost = seen && error.status === 404 // with the store, or its process has another one: it may be made again
        if (!passing(error) && !lost) return onState("refused", error)
        if (error instanceof Problem) problem = error
      }
      if (ended.signal.aborted) return
      if (document.hidden) continue
      onState("away", problem)
      pause_ms = performance.now() - began > LONGEST_PAUSE_MS ? 500 : Math.min(2 * pause_ms, LONGEST_PAUSE_MS)
      await pause(pause_ms, ended.signal)
    }
  }

  forever()
  return () => ended.abort()
}

function eventOf(block) {
  const event = { name: "", data: [], id: "" }
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event.name = line.slice(7)
    else if (line.startsWith("data: ")) event.data = JSON.parse(line.slice(6))
    else if (line.startsWith("id: ")) event.id = line.slice(4)
  }
  return event.name ? event : null
}

// Whether a call may do in a moment: the service is away, busy or restarting.
export function passing(error) {
  return !(error instanceof Problem) || error.status >= 500 || error.status === 429
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => { clearTimeout(timer); signal.removeEventListener("abort", end); resolve() }
    const timer = setTimeout(end, ms)
    signal.addEventListener("abort", end)
  })
}

function seenAgain(signal) {
  return new Promise((resolve) => {
    const look = () => { if (!document.hidden || signal.aborted) { document.removeEventListener("visibilitychange", look); resolve() } }
    document.addEventListener("visibilitychange", look)
    signal.addEventListener("abort", look, { once: true })
  })
}

// Calls `look` every so often while the page is seen, at first in `first_ms`, until the function that it returns is called.
export function repeat(look, every_ms, first_ms = 0) {
  const ended = new AbortController()
  ;(async () => {
    await pause(first_ms, ended.signal)
    while (!ended.signal.aborted) {
      if (!document.hidden) await look(ended.signal)
      await pause(every_ms, ended.signal)
    }
  })()
  return () => ended.abort()
}
