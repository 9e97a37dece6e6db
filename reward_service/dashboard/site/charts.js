// Draw figures over steps: sparklines as SVG, curves with uPlot.

import { h } from "./dom.js"
import { figure } from "./format.js"

const COLOURS = ["--first", "--second"]
const DASHES = [[], [6, 4]]
const HEIGHT = 170

// A line of values, scaled to its own range; what it shows is told in words too.
export function sparkline(name, values, width = 110, height = 26) {
  const known = values.filter((value) => typeof value === "number")
  if (known.length < 2) return h("span", { class: "quiet" }, "–")
  const least = Math.min(...known)
  const span = Math.max(...known) - least
  const x = (at) => (2 + (at / (values.length - 1)) * (width - 4)).toFixed(1)
  const y = (value) => (span === 0 ? height / 2 : height - 3 - ((value - least) / span) * (height - 6)).toFixed(1)
  const points = values.map((value, at) => [at, value]).filter(([, value]) => typeof value === "number")
  const path = points.map(([at, value], n) => `${n ? "L" : "M"}${x(at)} ${y(value)}`).join("")
  const last = points[points.length - 1]
  const said = `${name}: from ${figure(known[0])} to ${figure(known[known.length - 1])}, lowest ${figure(least)}, highest ${figure(least + span)}`
  return h("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": said },
    h("title", {}, said), h("path", { d: path }), h("circle", { cx: x(last[0]), cy: y(last[1]), r: 2 }))
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

// Curves of one figure for one or two runs; `set` takes new values, `end` removes the chart.
export class Curves {
  constructor(name, note, runs, write = figure) {
    this.name = name
    this.runs = runs
    this.write = write
    this.place = h("div", { class: "curve" })
    this.said = h("span", { class: "latest" })
    this.element = h("figure", {}, h("figcaption", { title: note }, h("strong", {}, name), " ", this.said), this.place)
    this.data = null
    this.paint = () => this.draw()
    this.sizes = new ResizeObserver(() => this.plot && this.place.clientWidth > 0 && this.plot.setSize(this.size()))
    addEventListener("painted", this.paint)
  }

  // `curves` has for each run a Map of values by step.
  set(curves) {
    const steps = [...new Set(curves.flatMap((curve) => [...curve.keys()]))].sort((one, other) => one - other)
    this.data = [steps, ...curves.map((curve) => steps.map((step) => curve.get(step) ?? null))]
    this.element.hidden = !curves.some((curve) => [...curve.values()].some((value) => value !== null))
    this.say()
    if (this.element.hidden) return
    if (this.plot && this.plot.series.length === this.data.length) this.plot.setData(this.data)
    else this.draw()
  }

  say() {
    const latest = this.data.slice(1).map((values, at) => {
      const value = values.findLast((each) => each !== null)
      return `${this.runs.length > 1 ? `${this.runs[at]}: ` : ""}${this.write(value)}`
    })
    this.said.textContent = latest.join(" · ")
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
      scales: { x: { time: false } },
      axes: [{ ...axis, size: 28 }, { ...axis, size: 46, values: (_, ticks) => ticks.map((tick) => Number(tick.toPrecision(6)).toString()) }],
      series: [{ label: "step" }, ...series],
      cursor: { sync: { key: "steps" }, drag: { x: true, y: false } },
      legend: { show: true, live: true },
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
