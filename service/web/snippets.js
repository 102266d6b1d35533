// What was asked, as a command and as a program that ask it again, and as a link.

import { address, CLASSIFY } from "./api.js";
import { announce, copy, make } from "./dom.js";
import { t } from "./i18n.js";

/** A command for a POSIX shell. */
export function asCurl(body) {
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -s '${address(CLASSIFY)}' -H 'Content-Type: application/json' -d '${quoted}'`;
}

/** A program that needs nothing but Python. A JSON string is a Python string as well. */
export function asPython(body) {
  return `import json
import urllib.request

request = urllib.request.Request(
    ${JSON.stringify(address(CLASSIFY))},
    json.dumps(${JSON.stringify(body)}).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.dumps(json.load(answer), ensure_ascii=False, indent=2))
`;
}

/** A link that opens the page with these texts. In the fragment: browsers never send it. */
export function asLink(values) {
  const here = new URL(location.href);
  here.hash = new URLSearchParams(values).toString();
  return here.href;
}

/** Buttons that copy `body` as curl and Python, and `values` as a link. */
export function copyButtons(body, values) {
  const shown = make("pre", { class: "snippet", tabindex: "0", hidden: true });
  const button = (key, text, showIt) =>
    make("button", {
      type: "button", class: "quiet", "data-copies": key,
      async onclick({ currentTarget }) {
        const done = await copy(text);
        // Seen, it can be checked, and copied by hand where the clipboard is closed.
        shown.hidden = done && !showIt;
        shown.textContent = text;
        shown.setAttribute("aria-label", t(`copy.${key}`));
        const said = done ? t("copied") : t("copy.failed");
        announce(said);
        currentTarget.textContent = said;
        setTimeout(() => { currentTarget.textContent = t(`copy.${key}`); }, 1600);
      },
    }, t(`copy.${key}`));
  return [
    make("div", { class: "copies" },
      button("curl", asCurl(body), true),
      button("python", asPython(body), true),
      button("link", asLink(values), false)),
    shown,
  ];
}
