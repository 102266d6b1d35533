// Many texts through the service: small requests, two at a time, so that other users' texts find
// their turn between them. No DOM in here.

import { classify, explainProblem, ServiceError } from "./api.js";

const AT_ONCE = 2;
const FIRST = 16;
const MOST = 128;
// A request this long keeps the progress moving and ends soon after a cancel.
const TARGET_MS = 1000;
// The rate that is shown is that of the last so many milliseconds.
const RECENT_MS = 15_000;

export class Batch {
  /**
   * `limits` are the service's, from GET /v1/model. `onWait` as in `classify`; `onResume()` is
   * called when an answer came after a wait.
   */
  constructor(texts, limits, { onWait, onResume }) {
    this.texts = texts;
    this.limits = limits;
    this.onWait = onWait;
    this.onResume = onResume;
    /** By text: null, a result, or {error}. */
    this.results = new Array(texts.length).fill(null);
    this.done = 0;
    this.requests = 0;
    this.seconds = 0;
    this.running = false;
    this.size = Math.min(FIRST, limits.max_texts);
    this.left = texts.length ? [[0, texts.length]] : []; // never an empty part
    this.marks = [];
  }

  get finished() {
    return this.done === this.texts.length;
  }

  /** Texts a second, of late. */
  get rate() {
    if (this.marks.length < 2) return 0;
    const [first, last] = [this.marks[0], this.marks[this.marks.length - 1]];
    return last.at > first.at ? ((last.done - first.done) * 1000) / (last.at - first.at) : 0;
  }

  /** Go on until all is done, `cancel`, or an error that does not pass; that is thrown. */
  async run() {
    const stop = (this.stop = new AbortController());
    const begin = performance.now();
    this.running = true;
    this.marks = [{ at: begin, done: this.done }];
    const workers = Array.from({ length: AT_ONCE }, () => this.work(stop.signal).catch((error) => {
      stop.abort();
      throw error;
    }));
    const ends = await Promise.allSettled(workers);
    this.running = false;
    this.seconds += (performance.now() - begin) / 1000;
    const failure = ends.find(({ reason }) => reason && reason.name !== "AbortError");
    if (failure) throw failure.reason;
  }

  /** End at once; what is done stays, and `run` can go on from there. */
  cancel() {
    this.stop?.abort();
  }

  async work(signal) {
    for (let part; !signal.aborted && (part = this.take()); ) {
      try {
        await this.ask(part, signal);
      } catch (error) {
        if (this.refused(error, part)) continue;
        this.left.unshift(part);
        throw error;
      }
    }
  }

  async ask([from, to], signal) {
    const begin = performance.now();
    let waited = false;
    const { results } = await classify({ texts: this.texts.slice(from, to) }, {
      signal,
      attempts: Infinity,
      onWait: (wait) => {
        waited = true;
        this.onWait(wait);
      },
    });
    this.requests += 1;
    results.forEach((result, i) => { this.results[from + i] = result; });
    this.note(to - from);
    if (waited) {
      this.size = Math.max(1, this.size >> 1);
      this.onResume();
    } else this.adapt(performance.now() - begin);
  }

  /** A part that is too much for the service as a whole is cut in two. */
  refused(error, [from, to]) {
    if (!(error instanceof ServiceError) || ![408, 413, 422].includes(error.status)) return false;
    if (to - from > 1) {
      const middle = (from + to) >> 1;
      this.size = Math.max(1, middle - from);
      this.left.unshift([from, middle], [middle, to]);
    } else {
      this.results[from] = { error: error.problem ?? { status: error.status, detail: error.message } };
      this.note(1);
    }
    return true;
  }

  /** The next texts: as many as go well in one request. */
  take() {
    const range = this.left[0];
    if (!range) return null;
    const { max_body_bytes: bytes, max_tokens: tokens } = this.limits;
    // A character is two tokens and six bytes of JSON at most; half of the queue is for others.
    const room = Math.min(bytes / 6, tokens / 4);
    const [from, end] = range;
    let to = from;
    let characters = 0;
    while (to < end && to - from < this.size) {
      characters += this.texts[to].length;
      if (to > from && characters > room) break;
      to += 1;
    }
    if (to === end) this.left.shift();
    else this.left[0] = [to, end];
    return [from, to];
  }

  note(count) {
    const at = performance.now();
    this.done += count;
    this.marks.push({ at, done: this.done });
    while (this.marks.length > 2 && at - this.marks[0].at > RECENT_MS) this.marks.shift();
  }

  adapt(milliseconds) {
    const wanted = this.size * Math.min(2, Math.max(0.5, TARGET_MS / milliseconds));
    this.size = Math.max(1, Math.min(Math.round((this.size + wanted) / 2), MOST, this.limits.max_texts));
  }
}

/** What is wrong with a text that got {error}, in words. */
export const errorWords = (result) => explainProblem(result.error);
