// Keep words for the tab, until it is closed; where the browser keeps nothing for pages, until the page is left.

const here = new Map()

export function kept(name) {
  try {
    return here.get(name) ?? sessionStorage.getItem(name)
  } catch {
    return null
  }
}

export function keep(name, value) {
  here.set(name, value)
  tried(() => sessionStorage.setItem(name, value))
}

export function forget(name) {
  here.delete(name)
  tried(() => sessionStorage.removeItem(name))
}

function tried(work) {
  try {
    work()
  } catch {
    // It is kept in the page.
  }
}
