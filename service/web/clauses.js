// The text itself: each clause coloured and signed, the turning word marked and joined to what
// it turns. One stop of the Tab key; arrow keys go from clause to clause.

import { draw, make } from "./dom.js";
import { percent, t } from "./i18n.js";

// Farther back than so many clauses, a reader sees no connection.
const FARTHEST = 6;
// A longer clause is not quoted in full.
const LONGEST = 18;

export const SIGNS = { positive: "＋", negative: "−", neutral: "○", mixed: "±", error: "!" };

/**
 * Which clauses are joined: [{from, to, relation}], indices of clauses. `from` holds the word.
 *
 * The contract says that a turn stands against "what precedes it": the concession before it, or
 * the nearest clause of another polarity, else the one just before. A concession that no turn
 * takes up gives way to the clause after it.
 */
export function links(clauses) {
  const found = [];
  clauses.forEach(({ relation, connective }, index) => {
    if (connective && index > 0 && relation === "contrast")
      found.push({ from: index, to: turnedBy(clauses, index), relation });
    if (connective && index > 0 && relation === "addition")
      found.push({ from: index, to: index - 1, relation });
  });
  clauses.forEach(({ relation, connective }, index) => {
    if (!connective || relation !== "concession" || found.some(({ to }) => to === index)) return;
    const to = clauses.findIndex((clause, i) => i > index && clause.relation !== "concession");
    if (to > index) found.push({ from: index, to, relation });
  });
  return found;
}

function turnedBy(clauses, index) {
  for (let to = index - 1; to >= Math.max(0, index - FARTHEST); to -= 1) {
    const { label, relation } = clauses[to];
    if (relation === "concession" || (label !== "neutral" && label !== clauses[index].label)) return to;
  }
  return index - 1;
}

/** What the relation of clause `index` says, in words; empty without one. */
export function relationWords(clauses, index) {
  const { relation, connective } = clauses[index];
  if (!connective) return "";
  const own = links(clauses).find((link) => link.from === index);
  const turned = links(clauses).find((link) => link.to === index && link.relation === "contrast");
  const other = own?.to ?? turned?.from;
  const values = { word: connective.text, other: other === undefined ? "" : short(clauses[other].text) };
  return t(`relation.${relation}${values.other ? "" : ".alone"}`, values);
}

const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/**
 * The clauses of `text` as an element. `onShow(index)` is called when one is pointed at, reached
 * by key or tapped.
 */
export function clauseText(text, clauses, first, onShow) {
  const characters = Array.from(text);
  const slice = (start, end) => characters.slice(start, end).join("");
  const list = make("div", {
    class: "clauses", lang: "zh-CN", role: "listbox", "aria-label": t("clauses.label"),
    "aria-orientation": "horizontal",
  });
  let at = 0;
  const spans = clauses.map((clause, index) => {
    const span = clauseSpan(clause, slice, relationWords(clauses, index));
    list.append(slice(at, clause.start), span);
    at = clause.end;
    return span;
  });
  list.append(slice(at));
  const lines = draw("svg", { class: "links", "aria-hidden": "true" });
  const whole = make("div", { class: "text" }, lines, list);
  const joined = links(clauses);
  let chosen = first;

  const show = (index) => {
    spans.forEach((span, i) => span.classList.toggle("shown", i === index));
    for (const path of lines.querySelectorAll("path[data-ends]"))
      path.classList.toggle("shown", path.dataset.ends.split(" ").includes(String(index)));
    onShow(index);
  };
  const choose = (index) => {
    chosen = index;
    spans.forEach((span, i) => {
      span.setAttribute("aria-selected", i === index);
      span.tabIndex = i === index ? 0 : -1;
    });
    show(index);
  };
  const of = (target) => spans.indexOf(target.closest?.(".clause"));
  list.addEventListener("pointerover", (e) => of(e.target) >= 0 && show(of(e.target)));
  list.addEventListener("pointerleave", () => show(chosen));
  list.addEventListener("click", (e) => of(e.target) >= 0 && choose(of(e.target)));
  list.addEventListener("focusin", (e) => of(e.target) >= 0 && choose(of(e.target)));
  list.addEventListener("keydown", (event) => {
    const to = step(event.key, chosen, spans.length);
    if (to === null) return;
    event.preventDefault();
    spans[to].focus();
  });
  new ResizeObserver(() => {
    joinWords(lines, spans, joined);
    show(chosen);
  }).observe(whole);
  choose(first);
  return whole;
}

function step(key, at, count) {
  if (key === "ArrowRight" || key === "ArrowDown") return Math.min(at + 1, count - 1);
  if (key === "ArrowLeft" || key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}

function clauseSpan(clause, slice, relation) {
  const { label, scores, start, end, connective } = clause;
  const words = [`${t(`label.${label}`)} ${percent(scores[label])}`, relation].filter(Boolean);
  const span = make("span", {
    class: `clause ${label}`, role: "option", "aria-selected": "false",
    "aria-label": `${clause.text} ${words.join(". ")}`,
  });
  if (!connective) span.append(slice(start, end));
  else
    span.append(
      slice(start, connective.start),
      make("mark", { class: clause.relation }, slice(connective.start, connective.end)),
      slice(connective.end, end),
    );
  return span;
}

/** Draw the curves from each turning word to its clause, over text that wraps as it likes. */
function joinWords(lines, spans, joined) {
  const frame = lines.parentElement.getBoundingClientRect();
  const head = draw("marker", {
    id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 11, markerHeight: 11,
    markerUnits: "userSpaceOnUse", orient: "auto",
  }, draw("path", { d: "M1 1l6 3-6 3z" }));
  lines.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  lines.replaceChildren(draw("defs", {}, head));
  for (const { from, to, relation } of joined) {
    const word = spans[from].querySelector("mark").getClientRects()[0];
    const rects = spans[to].getClientRects();
    if (!word || !rects.length) continue; // not laid out yet
    const target = to < from ? rects[rects.length - 1] : rects[0];
    lines.append(draw("path", {
      d: curve(word, target, frame), class: relation, "data-ends": `${from} ${to}`,
      "marker-end": "url(#head)",
    }));
  }
}

function curve(word, target, frame) {
  const x1 = word.left + word.width / 2 - frame.left;
  const x2 = target.left + target.width / 2 - frame.left;
  const top = (rect) => rect.top - frame.top;
  const bottom = (rect) => rect.bottom - frame.top;
  if (Math.abs(word.top - target.top) < word.height / 2) {
    const y = Math.min(top(word), top(target)) - 1;
    const height = Math.min(30, 12 + Math.abs(x1 - x2) * 0.09);
    return `M${x1} ${y}C${x1} ${y - height} ${x2} ${y - height} ${x2} ${y - 2}`;
  }
  const above = target.top < word.top;
  const y1 = above ? top(word) : bottom(word);
  const y2 = above ? bottom(target) + 3 : top(target) - 3;
  const bend = above ? -16 : 16;
  return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
}
