// The results of a file: counts by label, filter, search, sort, pages, each row's whole answer.

import { errorWords } from "./batch.js";
import { make } from "./dom.js";
import { number, percent, signed, t } from "./i18n.js";
import { labelBadge, resultCard } from "./result.js";

const PAGE = 50;
const KINDS = ["positive", "mixed", "negative", "neutral", "error"];
const ORDER = { positive: 0, mixed: 1, negative: 2, neutral: 3, error: 4 };

const kindOf = (result) => (result.error ? "error" : result.label);
const KEYS = {
  row: (_, index) => index,
  text: null, // by its characters
  label: (result) => ORDER[kindOf(result)],
  polarity: (result) => result.polarity ?? -2,
  sure: (result) => (result.error ? -1 : result.scores[result.label]),
};

/** A table over `texts` and `results`, which may still be filling up: call `refresh` then. */
export class ResultTable {
  constructor(texts, results, { info, onShown = () => {} }) {
    Object.assign(this, { texts, results, info, onShown });
    this.kinds = new Set();
    this.words = "";
    this.key = "row";
    this.down = false;
    this.page = 0;
    this.open = null;
    this.drawn = "";
    this.build();
  }

  build() {
    this.counts = make("div", { class: "counts", role: "group", "aria-label": t("table.filter") });
    this.spread = make("div", { class: "spread", "aria-hidden": "true" });
    const search = make("input", {
      type: "search", "aria-label": t("table.search"), placeholder: t("table.search"),
      oninput: ({ target }) => {
        this.words = target.value.trim();
        this.changed();
      },
    });
    search.value = this.words;
    this.head = make("tr");
    this.body = make("tbody");
    this.note = make("p", { class: "soft", role: "status" });
    this.pager = make("div", { class: "pager" });
    this.element = make("div", { class: "card table" },
      this.spread, this.counts, make("div", { class: "row" }, search, this.note),
      make("div", { class: "scroll" },
        make("table", {}, make("caption", { class: "unseen" }, t("table.caption")),
          make("thead", {}, this.head), this.body)),
      this.pager);
    this.chips = Object.fromEntries(KINDS.map((kind) => [kind, this.chip(kind)]));
    this.counts.append(...Object.values(this.chips));
    this.drawHead();
    this.drawn = "";
    this.refresh();
  }

  chip(kind) {
    return make("button", {
      type: "button", class: `chip ${kind}`, "aria-pressed": this.kinds.has(kind),
      onclick: ({ currentTarget }) => {
        if (!this.kinds.delete(kind)) this.kinds.add(kind);
        currentTarget.setAttribute("aria-pressed", this.kinds.has(kind));
        this.changed();
      },
    });
  }

  drawHead() {
    this.head.replaceChildren(...Object.keys(KEYS).map((key) => {
      const sorted = this.key === key ? (this.down ? "descending" : "ascending") : "none";
      return make("th", { scope: "col", "aria-sort": sorted, class: `col-${key}` },
        make("button", { type: "button", class: "sort", onclick: () => this.sort(key) }, t(`table.${key}`),
          make("span", { "aria-hidden": "true" }, { none: "", ascending: " ↑", descending: " ↓" }[sorted])));
    }));
  }

  sort(key) {
    this.down = this.key === key && !this.down;
    this.key = key;
    this.drawHead();
    this.head.querySelector(`.col-${key} button`).focus();
    this.changed();
  }

  changed() {
    this.page = 0;
    this.open = null;
    this.refresh();
  }

  get filtered() {
    return this.kinds.size > 0 || this.words !== "";
  }

  /** Rows that have an answer and pass the filter, in the order chosen. */
  indices() {
    const words = this.words.toLowerCase();
    const kept = [];
    this.results.forEach((result, index) => {
      if (!result || (this.kinds.size && !this.kinds.has(kindOf(result)))) return;
      if (words && !this.texts[index].toLowerCase().includes(words)) return;
      kept.push(index);
    });
    const sign = this.down ? -1 : 1;
    if (this.key === "text") {
      const { compare } = new Intl.Collator("zh");
      kept.sort((a, b) => sign * compare(this.texts[a].slice(0, 40), this.texts[b].slice(0, 40)));
    } else if (this.key !== "row" || this.down) {
      const value = KEYS[this.key];
      kept.sort((a, b) => sign * (value(this.results[a], a) - value(this.results[b], b)) || a - b);
    }
    return kept;
  }

  /** Draw what changed. */
  refresh() {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    let answered = 0;
    for (const result of this.results) {
      if (!result) continue;
      counts[kindOf(result)] += 1;
      answered += 1;
    }
    this.drawCounts(counts, answered);
    this.shown = this.indices();
    const pages = Math.max(1, Math.ceil(this.shown.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const here = this.shown.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.note.textContent = this.filtered
      ? t("table.some", { n: number(this.shown.length), of: number(answered) })
      : t("table.all", { n: number(answered) });
    this.drawPager(pages);
    this.onShown(this);
    const drawn = `${here} ${this.open}`;
    if (drawn === this.drawn) return; // most refreshes while a file runs: leave focus and hand alone
    this.drawn = drawn;
    const focused = document.activeElement?.dataset?.row;
    this.body.replaceChildren(...here.flatMap((index) => this.row(index)));
    if (!here.length) this.body.append(make("tr", {}, make("td", { colspan: 5, class: "soft" }, t("table.none"))));
    if (focused) this.body.querySelector(`[data-row="${focused}"]`)?.focus();
  }

  drawCounts(counts, answered) {
    for (const [kind, chip] of Object.entries(this.chips)) {
      const share = answered ? percent(counts[kind] / answered) : "";
      chip.replaceChildren(labelBadge(kind), make("strong", {}, number(counts[kind])), make("small", {}, share));
      chip.hidden = kind === "error" && !counts.error;
    }
    this.spread.replaceChildren(...KINDS.filter((kind) => counts[kind]).map((kind) => {
      const part = make("span", { class: kind });
      part.style.flexGrow = counts[kind];
      return part;
    }));
  }

  drawPager(pages) {
    const key = `${this.page}/${pages}`;
    if (this.pager.dataset.key === key && this.pager.childElementCount) return;
    this.pager.dataset.key = key;
    const focused = this.pager.contains(document.activeElement) && document.activeElement.dataset.go;
    const go = (name, page) => make("button", {
      type: "button", class: "quiet", "data-go": name, "aria-disabled": page < 0 || page >= pages,
      onclick: () => {
        if (page < 0 || page >= pages) return;
        this.page = page;
        this.open = null;
        this.refresh();
      },
    }, t(`table.${name}`));
    this.pager.hidden = pages === 1;
    this.pager.replaceChildren(go("previous", this.page - 1),
      make("span", {}, t("table.page", { n: number(this.page + 1), of: number(pages) })), go("next", this.page + 1));
    if (focused) this.pager.querySelector(`[data-go="${focused}"]`).focus();
  }

  row(index) {
    const result = this.results[index];
    const text = this.texts[index];
    const open = this.open === index;
    const reading = make("button", {
      type: "button", class: "read", "data-row": index, "aria-expanded": open, lang: "zh-CN",
      onclick: () => {
        this.open = open ? null : index;
        this.refresh();
      },
    }, text.length > 160 ? `${text.slice(0, 160)}…` : text || "—");
    const cells = [make("td", { class: "col-row" }, number(index + 1))];
    if (result.error)
      cells.push(make("td", {}, make("span", { lang: "zh-CN" }, text.slice(0, 80) || "—")),
        make("td", { colspan: 3 }, make("span", { class: "wrong" }, errorWords(result))));
    else
      cells.push(make("td", {}, reading), make("td", {}, labelBadge(result.label)),
        make("td", { class: "col-polarity" }, make("span", { class: result.polarity < 0 ? "lean negative" : "lean positive" }, signed(result.polarity))),
        make("td", { class: "col-sure" }, percent(result.scores[result.label])));
    const rows = [make("tr", { class: open ? "open" : null }, cells)];
    if (open) rows.push(make("tr", { class: "whole" }, make("td", { colspan: 5 }, resultCard(text, result, { info: this.info }))));
    return rows;
  }
}
