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
    this.named = new Map()
    this.ofRun = new Map()
    for (const each of readMetrics(text)) {
      put(this.named, each.name, each)
      if (each.labels.run !== undefined) put(this.ofRun, `${each.name} ${each.labels.run}`, each)
    }
  }

  // Those of a name, without the prefix that all have. With a thousand runs, those of one are found at once.
  of(name, labels = {}) {
    const full = `co_rewarding_${name}`
    const found = labels.run === undefined ? this.named.get(full) : this.ofRun.get(`${full} ${labels.run}`)
    const asked = Object.entries(labels)
    return (found ?? []).filter((each) => asked.every(([label, value]) => each.labels[label] === value))
  }

  value(name, labels) {
    return this.of(name, labels)[0]?.value
  }

  sum(name, labels) {
    return this.of(name, labels).reduce((sum, each) => sum + each.value, 0)
  }
}

function put(lists, name, each) {
  const list = lists.get(name)
  if (list) list.push(each)
  else lists.set(name, [each])
}
