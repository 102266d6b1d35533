// Words of the page, in Chinese and English.

import en from "./en.js";
import zh from "./zh.js";

const WORDS = { en, zh };
const TAGS = { en: "en", zh: "zh-CN" };
const KEY = "danshi.language";

let language = remembered() ?? preferred();

/** The text of `key`, with {name} replaced from `values`. */
export function t(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const number = (value) => value.toLocaleString(TAGS[language]);
export const percent = (value) => `${Math.round(value * 100)}%`;
/** With its sign, and a real minus. */
export const signed = (value, digits = 2) =>
  (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

/** Seconds, as people say them. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return t("time.s", { s: whole });
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return t("time.ms", { m: minutes, s: whole % 60 });
  return t("time.hm", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

export const current = () => language;

/** Change the language; whoever draws words hears `languagechange` on the document. */
export function choose(wanted) {
  language = wanted;
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  translate();
  document.dispatchEvent(new Event("languagechange"));
}

/** Put the words into the elements that name them. */
export function translate() {
  document.documentElement.lang = TAGS[language];
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]"))
    element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]"))
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  for (const button of document.querySelectorAll("[data-language]"))
    button.setAttribute("aria-pressed", button.dataset.language === language);
}

function remembered() {
  try {
    const value = localStorage.getItem(KEY);
    return value in WORDS ? value : null;
  } catch {
    return null;
  }
}

function preferred() {
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in WORDS);
  return known ?? "en";
}
