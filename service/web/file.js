// A whole file: choose the column, watch it run, look at the results, take them along.

import { explain, getModel } from "./api.js";
import { Batch } from "./batch.js";
import { announce, byId, make } from "./dom.js";
import { download } from "./download.js";
import { duration, number, percent, t } from "./i18n.js";
import { FileError, looksLikeHeader, readFile, textColumn } from "./records.js";
import { ResultTable } from "./table.js";

const REFRESH_MS = 500;
const PREVIEW = 3;

/** What is open: `source` a file read, `run` its texts on their way or done. */
const state = { source: null, header: false, column: 0, run: null, problem: null };
/** The file opened last. One before it may be read to its end later. */
let last = null;

/** Open `file`; says in plain words when that cannot be done. */
export async function openFile(file) {
  if (state.run?.batch.running) {
    problem(t("file.running"));
    return;
  }
  last = file;
  reset();
  problem(null, t("file.reading", { name: file.name }));
  try {
    const source = await readFile(file);
    if (file !== last) return;
    problem(null);
    state.source = source;
    state.header = !source.names && looksLikeHeader(source.records);
    state.column = textColumn(names(), rows());
    draw();
    byId("file-setup").querySelector("select").focus();
  } catch (error) {
    if (file !== last) return;
    problem(error instanceof FileError ? error.message : t("file.unreadable"));
  }
}

const width = () => state.source.records.reduce((most, record) => Math.max(most, record.length), 0);
const names = () => {
  const { names: own, records } = state.source;
  if (own) return own;
  const first = state.header ? records[0] : [];
  return Array.from({ length: width() }, (_, i) => first[i]?.trim() || t("file.column", { n: i + 1 }));
};
const rows = () => (state.header ? state.source.records.slice(1) : state.source.records);

function reset() {
  clearInterval(state.run?.timer);
  Object.assign(state, { source: null, run: null });
  problem(null);
  draw();
}

function problem(text, waiting) {
  const notice = byId("file-notice");
  notice.hidden = !text && !waiting;
  notice.className = `notice ${text ? "problem" : "waiting"}`;
  notice.setAttribute("role", text ? "alert" : "status");
  notice.textContent = text ?? waiting ?? "";
}

function draw() {
  byId("drop").hidden = Boolean(state.source);
  byId("file-setup").replaceChildren(...(state.source && !state.run ? [setup()] : []));
  byId("file-progress").replaceChildren(...(state.run ? [state.run.element] : []));
  byId("file-table").replaceChildren(...(state.run ? [state.run.table.element] : []));
}

function setup() {
  const { source, header, column } = state;
  const columns = names();
  const records = rows();
  // What then describes the controls: who does not see the page hears it, too.
  const rowless = records.length ? null : "file-rowless";
  const select = make("select", {
    id: "file-column", "aria-describedby": rowless,
    onchange: ({ target }) => {
      state.column = Number(target.value);
      redraw("#file-column");
    },
  }, columns.map((name, i) => make("option", { value: i, selected: i === column }, name)));
  const first = make("input", {
    type: "checkbox", id: "file-header", checked: header, "aria-describedby": rowless,
    onchange: ({ target }) => {
      state.header = target.checked;
      redraw("#file-header");
    },
  });
  const preview = records.slice(0, PREVIEW).map((record) => make("li", {}, record[column] || "—"));
  return make("form", { class: "card setup", onsubmit: start },
    make("h2", {}, source.name),
    make("p", { class: "soft" }, t("file.holds", { n: number(records.length), columns: number(columns.length), encoding: source.encoding })),
    make("div", { class: "row" },
      make("label", { for: "file-column" }, t("file.which")), select,
      source.names ? null : make("label", { class: "check" }, first, t("file.header"))),
    rowless ? make("p", { id: rowless, class: "wrong" }, t("file.rowless"))
      : [make("p", { class: "soft" }, t("file.preview")), make("ul", { class: "preview", lang: "zh-CN" }, preview)],
    make("div", { class: "row" },
      make("button", { type: "submit", class: "main", disabled: Boolean(rowless) }, t("file.go", { n: number(records.length) })),
      make("button", { type: "button", onclick: another }, t("file.another"))));
}

function redraw(focused) {
  draw();
  byId("file-setup").querySelector(focused).focus();
}

function another() {
  reset();
  byId("file-input").value = "";
  byId("file-input").focus();
}

async function start(event) {
  event.preventDefault();
  problem(null);
  const { source, column } = state;
  const shown = { names: names(), records: rows() };
  let info;
  try {
    info = await getModel();
  } catch (error) {
    if (source === state.source) problem(explain(error));
    return;
  }
  if (source !== state.source || state.run) return; // another file meanwhile, or a second click
  const texts = shown.records.map((record) => record[column] ?? "");
  source.shown = shown;
  const batch = new Batch(texts, info.limits, {
    onWait: ({ seconds, error }) => say(`${explain(error)} ${t("file.waits", { s: seconds })}`),
    onResume: () => say(""),
  });
  const table = new ResultTable(texts, batch.results, { info, onShown: () => drawActions() });
  state.run = { batch, table, error: null, ...progress() };
  draw();
  go();
}

/** The elements that show how far it is; made once, so that nothing jumps or loses the focus. */
function progress() {
  const bar = make("progress", { max: 1, value: 0, "aria-label": t("file.progress") });
  const told = make("p", { class: "told" });
  const wait = make("p", { class: "wait", role: "status" });
  const actions = make("div", { class: "row actions" });
  const element = make("div", { class: "card run" }, make("h2", {}, state.source.name), bar, told, wait, actions);
  return { element, bar, told, wait, actions };
}

const say = (text) => { state.run.wait.textContent = text; };

async function go() {
  const { run } = state;
  run.error = null;
  run.timer = setInterval(tick, REFRESH_MS);
  const ending = run.batch.run();
  tick();
  announce(t("file.started", { n: number(run.batch.texts.length) }));
  try {
    await ending;
  } catch (error) {
    run.error = error;
  }
  clearInterval(run.timer);
  say(run.error ? explain(run.error) : "");
  tick();
  announce(run.told.textContent);
}

function tick() {
  const { batch, bar, told, table } = state.run;
  const all = batch.texts.length;
  const share = batch.done / all;
  bar.value = share;
  const values = { done: number(batch.done), of: number(all), share: percent(Math.floor(share * 100) / 100) };
  if (batch.running) {
    const { rate } = batch;
    told.textContent = t("file.done", values) + (rate
      ? ` · ${t("file.rate", { n: number(Math.round(rate * 10) / 10) })} · ${t("file.left", { time: duration((all - batch.done) / rate) })}` : "");
    document.title = `${values.share} · ${t("title")}`;
  } else {
    const rate = batch.done / batch.seconds;
    told.textContent = t(batch.finished ? "file.finished" : "file.stopped", {
      ...values, time: duration(batch.seconds), rate: number(Math.round(rate * 10) / 10),
    });
    document.title = t("title");
  }
  if (!byId("file").hidden || !batch.running) table.refresh();
  drawActions();
}

function drawActions() {
  const { run, source } = state;
  if (!run) return;
  const { batch, table, actions } = run;
  const partial = table.filtered && table.shown.length < batch.done;
  const key = [batch.running, batch.finished, batch.running ? "" : batch.done, partial && table.shown.length].join();
  if (actions.dataset.key === key) return;
  actions.dataset.key = key;
  const stem = source.name.replace(/\.\w+$/, "");
  const save = (indices) => download(source.shown, batch.results, indices, `${stem}.danshi.csv`);
  const button = (words, onclick, main = false) =>
    make("button", { type: "button", class: main ? "main" : null, onclick }, words);
  const had = actions.contains(document.activeElement);
  actions.replaceChildren(...(batch.running
    ? [button(t("file.cancel"), () => batch.cancel())]
    : [
      batch.finished ? null : button(t("file.continue"), go, true),
      button(t("file.save", { n: number(batch.done) }), () => save(batch.texts.map((_, i) => i)), batch.finished),
      partial ? button(t("file.save.shown", { n: number(table.shown.length) }), () => save(table.shown)) : null,
      button(t("file.another"), another),
    ].filter(Boolean)));
  if (had) actions.querySelector("button").focus();
}

/** Bring the tab to life. */
export function fileTab() {
  byId("file-input").addEventListener("change", ({ target }) => target.files[0] && openFile(target.files[0]));
  document.addEventListener("languagechange", () => {
    if (state.run) {
      state.run.table.build();
      state.run.actions.dataset.key = "";
      tick();
    }
    draw();
  });
  window.addEventListener("beforeunload", (event) => {
    if (state.run?.batch.running) event.preventDefault();
  });
}
