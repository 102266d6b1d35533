// From a file to rows: CSV, TSV, JSONL, TXT.

import { pause } from "./dom.js";
import { number, t } from "./i18n.js";

export const MAX_BYTES = 64 * 1024 * 1024;
// How often a long parse lets the browser breathe.
const BREATH = 500_000;
const TEXT_NAMES = /^(text|texts|review|reviews|content|comment|comments|sentence|body|评论|评论内容|评价|评价内容|内容|文本|正文|点评|留言|句子|評論|評價|內容|文字)$/i;

/** A file that cannot be read; the message is for people. */
export class FileError extends Error {}

/**
 * Read `file`.
 *
 * Answers {name, kind, encoding, records, names}: `records` are arrays of strings; `names` are
 * the columns' where the format has some (JSONL), else undefined and the first record may be.
 */
export async function readFile(file) {
  if (file.size > MAX_BYTES) throw new FileError(t("file.big", { mb: MAX_BYTES / 1024 / 1024 }));
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw new FileError(t("file.excel"));
  const { text, encoding } = decode(bytes);
  if (text.includes("\0")) throw new FileError(t("file.binary"));
  const kind = kindOf(file.name, text);
  const read = { csv: readTable, tsv: readTable, jsonl: readJSON, txt: readLines }[kind];
  const { records, names } = await read(text, kind);
  if (!records.length) throw new FileError(t("file.empty"));
  return { name: file.name, kind, encoding, records, names };
}

function decode(bytes) {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    const encoding = a === 0xff ? "utf-16le" : "utf-16be";
    return { text: new TextDecoder(encoding).decode(bytes), encoding: "UTF-16" };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), encoding: "UTF-8" };
  } catch {
    // What Chinese editions of Excel and Windows write.
    return { text: new TextDecoder("gb18030").decode(bytes), encoding: "GB 18030" };
  }
}

function kindOf(name, text) {
  const ending = name.toLowerCase().match(/\.(\w+)$/)?.[1];
  if (["jsonl", "ndjson", "json"].includes(ending)) return "jsonl";
  if (["tsv", "tab"].includes(ending)) return "tsv";
  if (ending === "csv") return "csv";
  if (/^\s*\{"/.test(text)) return "jsonl";
  return "txt";
}

async function readLines(text) {
  const records = text.split(/\r\n|\r|\n/).filter((line) => line.trim()).map((line) => [line]);
  return { records, names: [t("file.line")] };
}

async function readJSON(text) {
  let values = [];
  if (/^\s*\[/.test(text)) {
    try {
      values = JSON.parse(text);
    } catch {
      throw new FileError(t("file.json", { line: 1 }));
    }
  } else {
    const lines = text.split("\n");
    for (const [index, line] of lines.entries()) {
      if (index % 5000 === 4999) await pause();
      if (!line.trim()) continue;
      try {
        values.push(JSON.parse(line));
      } catch {
        throw new FileError(t("file.json", { line: number(index + 1) }));
      }
    }
  }
  const names = new Set();
  const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  for (const value of values) if (isRecord(value)) Object.keys(value).forEach((key) => names.add(key));
  if (!names.size) return { records: values.map((value) => [asText(value)]), names: [t("file.line")] };
  const keys = [...names];
  return { records: values.map((value) => keys.map((key) => asText(value?.[key]))), names: keys };
}

function asText(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function readTable(text, kind) {
  const delimiter = kind === "tsv" ? "\t" : delimiterOf(text);
  const records = [];
  let record = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let breath = BREATH;
  const endRecord = () => {
    if (record.length > 1 || record[0]?.trim()) records.push(record);
    record = [];
  };
  while (at < text.length) {
    let cell;
    [cell, at] = text[at] === '"' ? quoted(text, at, delimiter) : plain(text, at, delimiter);
    record.push(cell);
    if (text[at] === delimiter) {
      at += 1;
      if (at === text.length) record.push("");
    } else {
      at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
      endRecord();
    }
    if (at > breath) {
      breath = at + BREATH;
      await pause();
    }
  }
  if (record.length) endRecord();
  return { records };
}

/** The cell that begins at `at`, and where it ends. */
function plain(text, at, delimiter) {
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return [text.slice(at, end), end];
}

/** The same for one in quotation marks, where two of them stand for one. */
function quoted(text, at, delimiter) {
  let cell = "";
  let from = at + 1;
  for (;;) {
    const mark = text.indexOf('"', from);
    if (mark < 0) return [cell + text.slice(from), text.length];
    cell += text.slice(from, mark);
    if (text[mark + 1] !== '"') {
      const [rest, end] = plain(text, mark + 1, delimiter); // what stands behind the mark, if anything
      return [cell + rest, end];
    }
    cell += '"';
    from = mark + 2;
  }
}

function delimiterOf(text) {
  const line = text.slice(0, 5000).split(/\r|\n/).find((candidate) => candidate.trim()) ?? "";
  const bare = line.replace(/"(?:[^"]|"")*"/g, "");
  const count = (mark) => bare.split(mark).length - 1;
  return [",", "\t", ";"].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

/**
 * Whether the first record looks like the names of the columns. When in doubt it does not: one
 * text too many is seen, one too few is not.
 */
export function looksLikeHeader(records) {
  const [first, ...rest] = records.slice(0, 50);
  const cells = first.map((cell) => cell.trim());
  if (cells.some((cell) => TEXT_NAMES.test(cell))) return true;
  if (!cells.every((cell) => /^[\p{L}_][\p{L}\p{N}_ .-]{0,30}$/u.test(cell)) || !rest.length) return false;
  const numeric = (cell) => /^-?[\d.]+$/.test(cell ?? "");
  const numbersBelow = cells.some((_, i) => rest.every((record) => numeric(record[i])));
  const latinAbove = cells.every((cell) => /^[\w .-]+$/.test(cell));
  return numbersBelow || (latinAbove && rest.some((record) => record.some((cell) => /\p{Script=Han}/u.test(cell))));
}

/** The column that most likely holds the texts. */
export function textColumn(names, records) {
  const named = names.findIndex((name) => TEXT_NAMES.test(name.trim()));
  if (named >= 0) return named;
  const sample = records.slice(0, 200);
  const size = (column) => sample.reduce((sum, record) => sum + (record[column]?.length ?? 0), 0);
  return names.reduce((best, _, column) => (size(column) > size(best) ? column : best), 0);
}
