// One answer, as one looks at it.

import { explainProblem } from "./api.js";
import { clauseText, relationWords, SIGNS } from "./clauses.js";
import { make } from "./dom.js";
import { number, percent, signed, t } from "./i18n.js";

const LABELS = ["positive", "neutral", "negative", "mixed"];
// From so many clauses on, the text is taller than a screen: their scores then stay in view.
const LONG = 12;
const CLAUSE_LABELS = ["positive", "neutral", "negative"];

/** A label with its sign, so that colour is never the only one. */
export function labelBadge(label) {
  return make("span", { class: `badge ${label}` },
    make("span", { "aria-hidden": "true", class: "sign" }, SIGNS[label]), t(`label.${label}`));
}

/** Which side wins, in words. */
export function sideWords(polarity) {
  const strength = Math.abs(polarity);
  if (strength < 0.1) return t("side.even");
  const how = strength < 0.4 ? "slightly" : strength < 0.8 ? "clearly" : "far";
  return t(`side.${polarity > 0 ? "positive" : "negative"}.${how}`);
}

/** The whole answer in a sentence or two, for the eye and for screen readers. */
export function summary({ label, scores, polarity }) {
  return `${t(`says.${label}`)} ${sideWords(polarity)} (${t(`label.${label}`)} ${percent(scores[label])})`;
}

/** Where `polarity` stands between the two sides. */
export function gauge(polarity) {
  const needle = make("span", { class: `needle ${polarity > 0 ? "positive" : "negative"}` });
  const fill = make("span", { class: `fill ${polarity > 0 ? "positive" : "negative"}` });
  needle.style.left = `${50 + polarity * 50}%`;
  fill.style.left = `${50 + Math.min(polarity, 0) * 50}%`;
  fill.style.width = `${Math.abs(polarity) * 50}%`;
  return make("div", { class: "gauge" },
    make("div", { class: "track", "aria-hidden": "true" }, fill, make("span", { class: "middle" }), needle),
    make("div", { class: "ends" },
      make("span", {}, `− ${t("gauge.negative")}`),
      make("strong", { class: "value" }, make("span", { class: "unseen" }, t("polarity") + " "), signed(polarity)),
      make("span", {}, `${t("gauge.positive")} ＋`)));
}

/** Scores as bars, each with its name and number. */
export function bars(scores, labels) {
  return make("dl", { class: "bars" }, labels.map((label) => {
    const bar = make("span", { class: `bar ${label}` });
    bar.style.width = `${scores[label] * 100}%`;
    return make("div", {},
      make("dt", {}, make("span", { "aria-hidden": "true", class: "sign" }, SIGNS[label]), t(`label.${label}`)),
      make("dd", {}, make("span", { class: "rail", "aria-hidden": "true" }, bar),
        make("span", { class: "figure" }, percent(scores[label]))));
  }));
}

/**
 * The card of `result`, the answer for `text`, or the problem in its place.
 *
 * `info` is the model's manifest or undefined; `actions` are elements for the foot.
 */
export function resultCard(text, result, { info, title, actions = [] } = {}) {
  if (result.error) return refusedCard(result.error, title);
  const { label, scores, polarity, clauses, windows } = result;
  const detail = make("div", { class: "detail" });
  const show = (index) => detail.replaceChildren(...clauseDetail(clauses, index));
  const long = clauses.length > LONG;
  return make("article", { class: `card result${long ? " long" : ""}` },
    title ? make("h2", { class: "title" }, title) : null,
    make("header", { class: "verdict" },
      make("p", { class: "label" }, labelBadge(label), make("span", { class: "sure" }, percent(scores[label]))),
      make("p", { class: "words" }, make("span", {}, t(`says.${label}`)), " ",
        make("strong", {}, sideWords(polarity)))),
    make("div", { class: "body" },
      make("div", { class: "reading" },
        clauseText(text, clauses, mostTelling(clauses), show),
        long ? null : detail, legend(clauses)),
      make("div", { class: "figures" },
        make("h3", {}, t("polarity")), gauge(polarity),
        make("h3", {}, t("scores")), bars(scores, LABELS),
        long ? detail : null)),
    windows > 1 ? windowsNote(windows, info) : null,
    actions.length ? make("footer", {}, actions) : null);
}

function refusedCard(problem, title) {
  return make("article", { class: "card result refused" },
    title ? make("h2", { class: "title" }, title) : null,
    make("p", {}, labelBadge("error")),
    make("p", { class: "wrong" }, explainProblem(problem)));
}

/** The clause to look at first: the turn, else the one that says most. */
function mostTelling(clauses) {
  const turn = clauses.findIndex((clause) => clause.relation === "contrast");
  if (turn >= 0) return turn;
  const weights = clauses.map(({ scores }) => Math.max(scores.positive, scores.negative));
  return weights.indexOf(Math.max(...weights));
}

function clauseDetail(clauses, index) {
  const clause = clauses[index];
  const relation = relationWords(clauses, index);
  return [
    make("p", { class: "quote", lang: "zh-CN" }, clause.text),
    make("p", { class: "soft" }, t("clause.of", { n: number(index + 1), of: number(clauses.length) })),
    // There even when empty, and so is its line: else the page jumps from under the pointer.
    make("p", { class: "relation" }, relation),
    bars(clause.scores, CLAUSE_LABELS),
  ];
}

function legend(clauses) {
  const used = CLAUSE_LABELS.filter((label) => clauses.some((clause) => clause.label === label));
  return make("p", { class: "legend" },
    used.map((label) => make("span", {}, make("span", { class: `key ${label}`, "aria-hidden": "true" }, SIGNS[label]),
      t(`clause.${label}`))),
    clauses.some((clause) => clause.connective)
      ? make("span", {}, make("span", { class: "key turn", "aria-hidden": "true" }, "但"), t("legend.turn")) : null,
    make("span", { class: "hint" }, t("clauses.hint")));
}

function windowsNote(windows, info) {
  const blocks = Array.from({ length: Math.min(windows, 60) }, () => make("i"));
  return make("p", { class: "windows" },
    make("span", { class: "blocks", "aria-hidden": "true" }, blocks),
    info ? t("windows", { n: number(windows), size: number(info.max_length) })
      : t("windows.plain", { n: number(windows) }));
}
