// A form with one text or two: counts, asks, waits, explains, and shows the answer.

import { classify, explain, getModel } from "./api.js";
import { announce, length, make } from "./dom.js";
import { number, t } from "./i18n.js";

const SLOW_MS = 400;

/**
 * Bring a form to life.
 *
 * `areas` are its text areas, in order; `body(texts)` is what to send; `show(asked, answer,
 * info)` fills `output` and returns a sentence to announce. Returns `ask(texts)`, which fills
 * the areas and asks.
 */
export function askForm({ form, areas, notice, output, body, show }) {
  const button = form.querySelector("button[type=submit]");
  let asking = null;
  let last = null;
  let limits;
  let info;

  const count = () => areas.forEach((area) => {
    const given = length(area.value);
    const limit = limits?.max_chars;
    const over = limit !== undefined && given > limit;
    const shown = document.getElementById(area.getAttribute("aria-describedby"));
    shown.textContent = over ? t("count.over", { given: number(given), limit: number(limit) })
      : limit ? t("count", { given: number(given), limit: number(limit) }) : number(given);
    shown.classList.toggle("over", over);
    area.setAttribute("aria-invalid", over);
  });

  const say = (kind, text, ...buttons) => {
    notice.hidden = !text;
    notice.className = `notice ${kind}`;
    notice.setAttribute("role", kind === "problem" ? "alert" : "status");
    notice.replaceChildren(make("span", {}, text ?? ""), ...buttons);
  };
  const act = (key, onclick) => make("button", { type: "button", onclick }, t(key));

  /** Why not to ask at all, in words; null if there is no reason. */
  const objection = (texts) => {
    if (texts.some((text) => !text.trim())) return t(areas.length > 1 ? "error.blanks" : "error.blank");
    const given = Math.max(...texts.map(length));
    if (limits && given > limits.max_chars)
      return t("error.long", { given: number(given), limit: number(limits.max_chars) });
    return null;
  };

  const submit = async () => {
    asking?.abort();
    asking = null; // how it ends is no longer shown
    button.removeAttribute("aria-busy");
    const texts = areas.map((area) => area.value);
    const reason = objection(texts);
    if (reason) {
      say("problem", reason);
      (areas.find((area) => !area.value.trim()) ?? areas[0]).focus();
      return;
    }
    const mine = (asking = new AbortController());
    const slow = setTimeout(() => say("waiting", t("asking")), SLOW_MS);
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await classify(body(texts), {
        signal: mine.signal,
        onWait: ({ seconds, attempt, attempts, error }) => {
          clearTimeout(slow);
          say("waiting", `${explain(error)} ${t("retry", { s: seconds, n: attempt + 1, of: attempts })}`,
            act("retry.stop", () => mine.abort()));
        },
      });
      say("", null);
      last = { texts, answer };
      draw();
    } catch (error) {
      if (mine !== asking) return; // asked anew meanwhile
      if (error.name === "AbortError") say("", null);
      else say("problem", explain(error), act("retry.now", submit));
    } finally {
      clearTimeout(slow);
      if (mine === asking) button.removeAttribute("aria-busy");
    }
  };

  const draw = () => {
    if (last) announce(show(last.texts, last.answer, info));
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  for (const area of areas) {
    area.addEventListener("input", count);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
    });
  }
  document.addEventListener("languagechange", () => {
    count();
    say("", null);
    draw();
  });
  getModel().then((model) => {
    info = model;
    limits = model.limits;
    count();
  }, () => {}); // the service says itself what it refuses
  count();

  return (texts) => {
    areas.forEach((area, i) => { area.value = texts[i]; });
    count();
    return submit();
  };
}

/** Fill `list` with buttons of examples: [{name, gloss, texts}]. */
export function exampleButtons(list, examples, ask) {
  const fill = () => list.replaceChildren(...examples.map(({ name, gloss, texts }) =>
    make("li", {}, make("button", { type: "button", class: "example", onclick: () => ask(texts) },
      make("span", { lang: "zh-CN" }, name), make("small", {}, t(gloss))))));
  document.addEventListener("languagechange", fill);
  fill();
}
