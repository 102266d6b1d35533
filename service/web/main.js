// The page: three ways to ask, a language, links that reopen what was asked.

import { askForm, exampleButtons } from "./ask.js";
import { getModel } from "./api.js";
import { byId, make } from "./dom.js";
import { ONE, TWO } from "./examples.js";
import { fileTab, openFile } from "./file.js";
import { choose, current, signed, t, translate } from "./i18n.js";
import { resultCard, sideWords, summary } from "./result.js";
import { copyButtons } from "./snippets.js";

/** Bring the answer into view where it begins below the middle; the focus stays where it is. */
function reveal(element) {
  if (element.getBoundingClientRect().top < innerHeight / 2) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}

const TABS = ["one", "two", "file"];

translate();

const askOne = askForm({
  form: byId("one-form"),
  areas: [byId("one-text")],
  notice: byId("one-notice"),
  output: byId("one-result"),
  body: ([text]) => ({ text }),
  show([text], result, info) {
    const actions = copyButtons({ text }, { text });
    byId("one-result").replaceChildren(resultCard(text, result, { info, actions }));
    reveal(byId("one-result"));
    return summary(result);
  },
});

const askTwo = askForm({
  form: byId("two-form"),
  areas: [byId("two-a"), byId("two-b")],
  notice: byId("two-notice"),
  output: byId("two-result"),
  body: (texts) => ({ texts }),
  show(texts, { results }, info) {
    const titles = [t("two.first"), t("two.second")];
    const change = changeWords(results);
    byId("two-result").replaceChildren(
      make("p", { class: "change" }, change),
      make("div", { class: "pair results" }, results.map((result, i) => resultCard(texts[i], result, { info, title: titles[i] }))),
      make("div", { class: "card copying" }, copyButtons({ texts }, { a: texts[0], b: texts[1] })));
    reveal(byId("two-result"));
    return change;
  },
});

/** What changes from the first answer to the second, in words. */
function changeWords([a, b]) {
  if (a.error || b.error) return t("change.refused");
  const by = b.polarity - a.polarity;
  const values = { a: signed(a.polarity), b: signed(b.polarity), before: t(`label.${a.label}`), after: t(`label.${b.label}`) };
  const label = t(a.label === b.label ? "change.same" : "change.label", values);
  if (Math.abs(by) < 0.05) return `${label} ${t("change.none", values)}`;
  const side = t(by > 0 ? "change.up" : "change.down", values);
  return `${label} ${side} ${a.polarity * b.polarity < 0 ? t("change.turned", { words: sideWords(b.polarity) }) : ""}`.trim();
}

function open(name, focus = false) {
  for (const tab of TABS) {
    byId(tab).hidden = tab !== name;
    byId(`tab-${tab}`).setAttribute("aria-selected", tab === name);
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
  if (focus) byId(`tab-${name}`).focus();
}

/** Open what the address' fragment holds: #text=…, #a=…&b=…, or the name of a tab. */
function follow() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (values.get("text")) {
    open("one");
    askOne([values.get("text")]);
  } else if (values.get("a") && values.get("b")) {
    open("two");
    askTwo([values.get("a"), values.get("b")]);
  } else if (TABS.includes(location.hash.slice(1))) open(location.hash.slice(1));
}

function tabs() {
  for (const [index, name] of TABS.entries()) {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => open(name));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: TABS.length - 1 }[key];
      if (to !== undefined) open(TABS[(to + TABS.length) % TABS.length], true);
    });
  }
}

function drops() {
  let inside = 0;
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
  const veil = (shown) => { byId("veil").hidden = !shown; };
  document.addEventListener("dragenter", (event) => {
    if (!holdsFile(event)) return;
    inside += 1;
    veil(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (holdsFile(event) && (inside -= 1) <= 0) veil(false);
  });
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    inside = 0;
    veil(false);
    if (!holdsFile(event)) return;
    event.preventDefault();
    open("file");
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
  });
}

async function modelLine() {
  try {
    const { name, version, engine, licence } = await getModel();
    byId("model").textContent = t("model", { name, version, engine: `${engine.name} ${engine.precision}`, licence });
  } catch {
    byId("model").textContent = t("model.unknown");
  }
}

for (const button of document.querySelectorAll("[data-language]"))
  button.addEventListener("click", () => button.dataset.language !== current() && choose(button.dataset.language));
document.addEventListener("languagechange", modelLine);
window.addEventListener("hashchange", follow);
exampleButtons(byId("one-examples"), ONE, askOne);
exampleButtons(byId("two-examples"), TWO, askTwo);
tabs();
drops();
fileTab();
modelLine();
follow();
