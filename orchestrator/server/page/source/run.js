// A run of the loop, as its events tell it: attempts with their text, findings, repairs, cost.

/** A run before its first event. */
export const newRun = (prompt) => ({ prompt, state: "running", attempts: [], searched: null, result: null, error: "" });

/** The run after one more event of the stream. */
export function after(run, event) {
  switch (event.type) {
    case "STEP_STARTED":
      return { ...run, attempts: [...run.attempts, { name: event.stepName, text: "", report: null }] };
    case "TEXT_MESSAGE_CONTENT":
      return { ...run, attempts: onLast(run, (attempt) => ({ ...attempt, text: attempt.text + event.delta })) };
    case "CUSTOM":
      if (event.name === "evaluated") return { ...run, attempts: onLast(run, (attempt) => ({ ...attempt, report: event.value })) };
      return event.name === "search" ? { ...run, searched: event.value } : run;
    case "RUN_FINISHED":
      return { ...run, state: "done", result: event.result };
    case "RUN_ERROR":
      return { ...run, state: "failed", error: event.message };
    default:
      return run;
  }
}

const onLast = (run, change) => run.attempts.map((one, i) => (i === run.attempts.length - 1 ? change(one) : one));

/** What a run says of itself in one line, for people who listen to it. */
export function inWords(run) {
  const count = run.attempts.length;
  if (run.state === "failed") return `It failed: ${run.error}`;
  if (run.state === "done") return `Done after ${count} ${count === 1 ? "attempt" : "attempts"}.`;
  const last = run.attempts.at(-1);
  if (!last) return "Asking …";
  const errors = last.report?.diagnostics.filter((one) => one.severity === "error").length;
  if (last.report) return errors ? `Attempt ${count}: ${errors} ${errors === 1 ? "error" : "errors"}, asking again …` : `Attempt ${count} holds.`;
  return last.text ? `Attempt ${count} is being written …` : `Attempt ${count}: asking …`;
}
