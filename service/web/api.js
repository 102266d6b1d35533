// The service: limits, classify, and what to do when it is busy or out of reach.

import { t } from "./i18n.js";

/** Relative to the page, so that it also works behind a path of a proxy. */
export const address = (path) => new URL(path, new URL(".", document.baseURI)).href;
export const CLASSIFY = "v1/classify";

/** An answer that is no result. `problem` is the service's own, where it gave one. */
export class ServiceError extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may go well a little later. */
  get passing() {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

let model;

/** The model's manifest with the service's limits; asked once, and again if that failed. */
export function getModel() {
  model ??= request("v1/model").catch((error) => {
    model = undefined;
    throw error;
  });
  return model;
}

/**
 * Classify; `body` is {text} or {texts}.
 *
 * While the service is busy or out of reach, tries again with growing pauses,
 * `attempts` times in all, and calls `onWait({seconds, attempt, attempts, error})`
 * before each pause.
 */
export async function classify(body, { signal, attempts = 6, onWait = () => {} } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request(CLASSIFY, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
    } catch (error) {
      if (!error.passing || attempt >= attempts) throw error;
      const seconds = backOff(attempt, error.retryAfter);
      onWait({ seconds, attempt, attempts, error });
      await sleep(seconds, signal);
    }
  }
}

/** 1, 2, 4 … 20 seconds, never less than asked for, and spread so that pages do not come at once. */
function backOff(attempt, retryAfter) {
  const grown = Math.min(2 ** (attempt - 1), 20);
  return Math.ceil(Math.max(grown * (0.75 + Math.random() / 2), retryAfter || 0));
}

/** Wait; less if the network comes back, and with an AbortError if `signal` says so. */
function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle) => {
      clearTimeout(timer);
      window.removeEventListener("online", back);
      signal?.removeEventListener("abort", stop);
      settle();
    };
    const back = () => end(resolve);
    const stop = () => end(() => reject(signal.reason));
    const timer = setTimeout(back, seconds * 1000);
    window.addEventListener("online", back);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
  });
}

async function request(path, options) {
  let answer;
  let body;
  try {
    answer = await fetch(address(path), options);
    body = await answer.json().catch((error) => {
      if (error instanceof SyntaxError) return null; // a proxy's page, not the service's answer
      throw error;
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, null);
  }
  if (answer.ok && body !== null) return body;
  throw new ServiceError(answer.status, body, Number(answer.headers.get("Retry-After")));
}

/** An error in plain words, with the way out. */
export function explain(error) {
  if (!(error instanceof ServiceError)) return t("error.page", { detail: error.message });
  const { status, problem } = error;
  if (status === 0) return navigator.onLine ? t("error.unreachable") : t("error.offline");
  if (status === 429) return t("error.busy");
  if (status === 502 || status === 503 || status === 504) return t("error.unavailable");
  return explainProblem(problem ?? { status, detail: error.message });
}

/** The same for a problem as the service words it, alone or in the place of a result. */
export function explainProblem({ status, detail = "", errors = [] }) {
  const field = errors.find((entry) => entry.limit !== undefined);
  const [, given, limit] = detail.match(/(\d+) characters long; the limit is (\d+)/) ?? [];
  if (given || (field && field.given !== undefined))
    return t("error.long", { given: given ?? field.given, limit: limit ?? field.limit });
  if (/blank/i.test(detail)) return t("error.empty");
  if (status === 413) return t("error.large");
  if (status === 500) return t("error.internal");
  return t("error.other", { status, detail });
}
