// Results as CSV: the file's own columns, then what the service said.

import { pause } from "./dom.js";

const SCORES = ["positive", "neutral", "negative", "mixed"];
const ADDED = ["label", "polarity", ...SCORES, "turns", "error"].map((name) => `danshi_${name}`);

/** Give the browser a file to save: the rows of `indices`. */
export async function download(source, results, indices, name) {
  const parts = ["\ufeff", line([...source.names, ...ADDED])]; // without its mark, Excel guesses
  for (const [count, index] of indices.entries()) {
    if (count % 5000 === 4999) await pause();
    const record = source.names.map((_, column) => source.records[index][column] ?? "");
    parts.push(line([...record, ...said(results[index])]));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function said(result) {
  if (!result) return ADDED.map(() => "");
  if (result.error) return [...ADDED.slice(1).map(() => ""), result.error.detail];
  const turns = result.clauses.filter((clause) => clause.relation === "contrast" && clause.connective);
  return [
    result.label, result.polarity, ...SCORES.map((score) => result.scores[score]),
    turns.map((clause) => clause.connective.text).join(" "), "",
  ];
}

function line(cells) {
  return cells.map((cell) => {
    const text = String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",") + "\r\n";
}
