// The figures of a step, and the words for why a run needs a look.

import { count, figure, percent } from "./format.js"

// name, field or function of a step's signs, how it is written, what it means.
export const SIGNS = [
  ["Reward", (each) => each.reward, figure, "The mean of the rewards."],
  ["Label accuracy", (each) => each.label_accuracy, percent, "Labels that equal the ground truth, where one was sent."],
  ["Vote share", (each) => each.vote_share, percent, "The share of its electorate behind a label, the mean."],
  ["Most frequent answer", (each) => each.top_share, percent, "Its share of all answers of the step: it grows when a policy gives one answer to everything."],
  ["Distinct answers", (each) => each.distinct_answers, figure, "Different answers in a group, the mean."],
  ["Rollouts that gave the label", (each) => each.label_agreement, percent, "The share of a view's own rollouts that gave its label: with a teacher, how far teacher and policy agree."],
  ["Views with one label", (each) => each.view_agreement, percent, "Questions both of whose views have the same label."],
  ["Answered", (each) => each.answered, percent, "Rollouts with an answer."],
  ["Abstained", abstained, percent, "Rollouts without a reward."],
  ["Length", (each) => each.length, count, "Tokens of a response, where the trainer sends them."],
]

export function abstained(signs) {
  const without = Object.values(signs.abstentions ?? {}).reduce((sum, n) => sum + n, 0)
  return signs.rollouts ? Math.min(1, without / signs.rollouts) : null
}

export const CONCERNS = {
  "one-answer": ["one answer", "One answer makes up a large and growing share of all answers."],
  "accuracy-falls": ["accuracy falls", "Labels equal the ground truth less often than they did."],
  abstains: ["abstains", "More than a fifth of the rollouts have no reward."],
  unanswered: ["no answers", "More than a fifth of the rollouts have no answer."],
  "views-disagree": ["views disagree", "The two views of most questions have different labels."],
  "teacher-lags": ["teacher lags", "The teacher is two or more steps behind the newest weights."],
  quiet: ["quiet", "Cohorts are open, and nothing has come for ten minutes."],
}

const URGENT = Object.keys(CONCERNS)

export const urgency = (concerns) => concerns.reduce((sum, each) => sum + 2 ** (URGENT.length - URGENT.indexOf(each)), 0)
