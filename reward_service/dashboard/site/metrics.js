// Read what /metrics says, as Prometheus does: a list of { name, labels, value }.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const ESCAPED = { n: "\n", "\\": "\\", '"': '"' }

export function readMetrics(text) {
  const found = []
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line)
    if (!match) continue
    const labels = {}
    for (const [, name, value] of (match[2] ?? "").matchAll(LABEL)) labels[name] = value.replace(/\\(.)/g, (_, mark) => ESCAPED[mark] ?? mark)
    found.push({ name: match[1], labels, value: Number(match[3]) })
  }
  return found
}

export class Metrics {
  constructor(text) {
    this.all = readMetrics(text)
  }

  // Those of a name, without the prefix that all have.
  of(name, labels = {}) {
    return this.all.filter((each) => each.name === `co_rewarding_${name}` && Object.entries(labels).every(([label, value]) => each.labels[label] === value))
  }

  value(name, labels) {
    return this.of(name, labels)[0]?.value
  }

  sum(name, labels) {
    return this.of(name, labels).reduce((sum, each) => sum + each.value, 0)
  }
}
