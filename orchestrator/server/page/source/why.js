// The reason of an action: what its plan is worth, and the best plan that begins otherwise.
import { html } from "./html.js";

export function Why({ why }) {
  const { plan, runner_up: other } = why;
  const most = Math.max(...[plan, other].filter(Boolean).map((one) => Math.abs(total(one))), 1e-9);
  return html`<section class="why" aria-label="Why"><h3>Why</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="Plans"><table class="plans"><thead><tr><th scope="col">plan</th><th scope="col">probability</th><th scope="col">utility</th><th scope="col">information</th><th scope="col">worth</th></tr></thead>
      <tbody><${Plan} plan=${plan} most=${most} label="taken" />${other && html`<${Plan} plan=${other} most=${most} label="runner-up" />`}</tbody></table></div>
    <p class="hint">${inWords(why)}</p></section>`;
}

function Plan({ plan, most, label }) {
  const steps = plan.actions.map((action) => Object.values(action).join(" + "));
  return html`<tr><th scope="row"><span class=${label === "taken" ? "chip good" : "chip"}>${label}</span> ${steps.join(" → ")}</th>
    <td class="number">${(plan.probability * 100).toFixed(1)}%</td>
    <td class="number">${nats(sum(plan.utility))}</td><td class="number">${nats(sum(plan.information))}</td>
    <td class="worth"><span class="bar" style=${{ "--share": String(Math.min(1, Math.abs(total(plan)) / most)) }}></span> <span class="number">${nats(total(plan))}</span></td></tr>`;
}

const BROKEN_BY = {
  utility: "its plan gains utility earlier", information: "its plan learns earlier",
  steps: "its plan changes fewer things", order: "it was declared first",
};

function inWords({ plan, runner_up: other, tied, broken_by: by, is_sampled: isSampled, depth }) {
  const looked = `Looks ${depth} ${depth === 1 ? "step" : "steps"} ahead; numbers in nats.`;
  if (isSampled) return `Drawn at random by the probabilities of all actions. ${looked}`;
  if (tied.length) return `${tied.length} actions were equally probable; this one was taken because ${BROKEN_BY[by] ?? "it came first"}. ${looked}`;
  if (!other) return `There is no other action. ${looked}`;
  const utility = sum(plan.utility) - sum(other.utility);
  const information = sum(plan.information) - sum(other.information);
  const reason = Math.abs(utility) >= Math.abs(information) ? `${nats(Math.abs(utility))} nats ${utility >= 0 ? "more" : "less"} utility` : `${nats(Math.abs(information))} nats ${information >= 0 ? "more" : "less"} information`;
  return `Against the runner-up: ${reason}. ${looked}`;
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const total = (plan) => sum(plan.utility) + sum(plan.information) + plan.later;
const nats = (value) => value.toFixed(2).replace("-", "−");
