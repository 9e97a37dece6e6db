// Ask for the key of the service.

import { fill, h } from "../dom.js"

export function login(main, problem, onKey) {
  document.title = "Sign in · Co-rewarding"
  const field = h("input", { type: "password", id: "key", autocomplete: "off", required: true, "aria-describedby": "key-note" })
  const wrong = problem.status === 403 && h("p", { class: "problem", role: "alert" }, "The service does not know this key.")
  const enter = (event) => {
    event.preventDefault()
    if (field.value) onKey(field.value)
  }
  fill(main,
    h("h1", { tabindex: "-1" }, "Sign in"),
    h("form", { class: "login", onsubmit: enter },
      h("label", { for: "key" }, "Key of the service"),
      field,
      h("button", { type: "submit" }, "Open"),
      h("p", { id: "key-note", class: "quiet" }, "One of CO_REWARDING_API_KEYS. It stays in this tab, until the tab is closed."),
      wrong))
  field.focus()
}
