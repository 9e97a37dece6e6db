// Draw figures over steps: sparklines as SVG, curves with uPlot.

import { fill, h } from "./dom.js"
import { brief, figure, percent } from "./format.js"

const COLOURS = ["--first", "--second"]
const DASHES = [[], [6, 4]]
const HEIGHT = 170
const LARGEST = 1e100 // larger figures are left out: their range is none that a number can hold
const FINEST = 1e-6 // of a figure: a range that is narrower is widened, since its ticks would be too close for numbers

const drawn = (value) => (typeof value === "number" && Math.abs(value) < LARGEST ? value : null)

// A line of values, scaled to its own range; what it shows is told in words too.
export function sparkline(name, told, width = 96, height = 22) {
  const values = told.map(drawn)
  const known = values.filter((value) => value !== null)
  if (known.length < 2) return null
  const least = Math.min(...known)
  const span = Math.max(...known) - least
  const x = (at) => (2 + (at / (values.length - 1)) * (width - 4)).toFixed(1)
  const y = (value) => (span === 0 ? height / 2 : height - 3 - ((value - least) / span) * (height - 6)).toFixed(1)
  const points = values.map((value, at) => [at, value]).filter(([, value]) => value !== null)
  const path = points.map(([at, value], n) => `${n ? "L" : "M"}${x(at)} ${y(value)}`).join("")
  const last = points[points.length - 1]
  const said = `${name}: from ${figure(known[0])} to ${figure(known[known.length - 1])}, lowest ${figure(least)}, highest ${figure(least + span)}`
  return h("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": said },
    h("title", {}, said), h("path", { d: path }), h("circle", { cx: x(last[0]), cy: y(last[1]), r: 2 }))
}

// The line with which the curves of the first or the second run are drawn.
export function curveOf(place) {
  return h("svg", { class: `sample ${COLOURS[place].slice(2)}`, viewBox: "0 0 34 10", width: 34, height: 10, "aria-hidden": "true" },
    h("path", { d: "M1 5L33 5", "stroke-dasharray": DASHES[place].join(" ") || null }))
}

function rangeOf(_, least, most) {
  if (least === null) return [0, 1]
  const widest = Math.max(Math.abs(least), Math.abs(most), FINEST)
  const more = most - least < FINEST * widest ? 0.1 * widest : 0.1 * (most - least)
  return [least < 0 || least > more ? least - more : 0, most + more]
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

// Curves of one figure for one or two runs; `set` takes new values, `end` removes the chart.
export class Curves {
  constructor(name, note, runs, write = figure) {
    this.share = write === percent
    this.name = name
    this.runs = runs
    this.write = write
    this.place = h("div", { class: "curve" })
    this.said = h("span", { class: "latest" })
    this.at = null
    this.element = h("figure", {}, h("figcaption", { title: note }, h("strong", {}, name), " ", this.said), this.place)
    this.data = null
    this.paint = () => this.draw()
    this.sizes = new ResizeObserver(() => this.plot && this.place.clientWidth > 0 && this.plot.setSize(this.size()))
    addEventListener("painted", this.paint)
  }

  // `curves` has for each run a Map of values by step.
  set(curves) {
    this.steps = [...new Set(curves.flatMap((curve) => [...curve.keys()]))].sort((one, other) => one - other)
    this.first = this.steps[0] ?? 0
    this.data = [
      this.steps.map((step) => step - this.first), // drawn from 0 on: steps near 2**53 are too close for ticks
      ...curves.map((curve) => this.steps.map((step) => drawn(curve.get(step)))),
    ]
    if (this.at >= this.steps.length) this.at = null
    this.element.hidden = !curves.some((curve) => [...curve.values()].some((value) => value !== null))
    this.say()
    if (this.element.hidden) return
    if (this.plot && this.plot.series.length === this.data.length) this.plot.setData(this.data)
    else this.draw()
  }

  say() {
    const [, ...values] = this.data
    const latest = values.map((each, at) => `${this.runs.length > 1 ? `${this.runs[at]}: ` : ""}${this.write(each.findLast((value) => value !== null))}`)
    const pointed = values.map((each) => this.write((this.at === null ? each.findLast((value) => value !== null) : each[this.at]) ?? undefined))
    fill(this.said, this.at !== null && `step ${this.steps[this.at]} `, pointed.map((text, at) => h("span", { class: this.runs.length > 1 ? COLOURS[at].slice(2) : null }, text)))
    this.place.setAttribute("role", "img")
    this.place.setAttribute("aria-label", `${this.name} over ${this.data[0].length} steps; latest ${latest.join(", ")}`)
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: HEIGHT }
  }

  draw() {
    if (!this.data || this.element.hidden || !this.element.isConnected) return
    this.plot?.destroy()
    const ink = colour("--ink-quiet")
    const axis = { stroke: ink, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" }
    const series = this.runs.map((run, at) => ({
      label: run,
      stroke: colour(COLOURS[at]),
      width: 2,
      dash: DASHES[at],
      spanGaps: true,
      points: { show: this.data[0].length < 2 },
      value: (_, value) => this.write(value ?? undefined),
    }))
    this.plot = new uPlot({
      ...this.size(),
      scales: { x: { time: false }, y: { range: this.share ? [0, 1] : rangeOf } },
      axes: [{ ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? brief(tick + this.first) : "")) }, { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => (this.share ? percent : brief)(tick)) }],
      series: [{ label: "step" }, ...series],
      cursor: { sync: { key: "steps" }, drag: { x: true, y: false } },
      legend: { show: false },
      hooks: { setCursor: [(plot) => { this.at = plot.cursor.idx ?? null; this.say() }] },
    }, this.data, this.place)
    this.sizes.observe(this.place)
  }

  end() {
    removeEventListener("painted", this.paint)
    this.sizes.disconnect()
    this.plot?.destroy()
    this.plot = null
  }
}
