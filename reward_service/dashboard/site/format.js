// Write numbers and times as people read them; "–" where there is none.

export const NONE = "–"
const LOCALE = "en"
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 })

const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 5 })

const missing = (value) => typeof value !== "number" || !Number.isFinite(value)

export const count = (value) => (missing(value) ? NONE : whole.format(value))
export const figure = (value) => (missing(value) ? NONE : fine.format(value))
// For an axis, where there is little room.
export function brief(value) {
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-4 || size >= 1e15) ? value.toExponential(2) : size >= 1e5 ? compact.format(value) : String(Number(value.toPrecision(6)))
}

export const rate = (value) => (missing(value) ? NONE : value < 10 ? value.toFixed(1) : whole.format(value))
export const percent = (value) => (missing(value) ? NONE : `${Math.round(value * 100)} %`)

export function bytes(value) {
  if (missing(value)) return NONE
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let at = 0
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024
  return `${at === 0 ? whole.format(value) : value.toFixed(1)} ${units[at]}`
}

export function duration(seconds) {
  if (missing(seconds)) return NONE
  const steps = [[86400, "d"], [3600, "h"], [60, "min"]]
  for (const [length, unit] of steps) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`
  return `${Math.max(0, Math.floor(seconds))} s`
}

export const ago = (at_s) => (missing(at_s) ? NONE : `${duration(Date.now() / 1000 - at_s)} ago`)

export const list = (counts) => Object.entries(counts).map(([name, n]) => `${name} ${count(n)}`).join(", ") || NONE
