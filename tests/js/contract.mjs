// The gateway as JavaScript clients read it. Called by `python -m tests.js`, which starts what is needed:
//   node contract.mjs BASE_URL ROUTE STREAMING_AGENT PLAIN_AGENT TEXT
// Where a request does not say, a streaming agent streams; these SDKs do not say where they want one JSON object, and the
// gateway knows them by their headers.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const [baseURL, route, streamingAgent, plainAgent, text] = process.argv.slice(2);
const openai = new OpenAI({ baseURL, apiKey: "any", maxRetries: 0, timeout: 10_000 });
const provider = createOpenAICompatible({ name: "gateway", baseURL, apiKey: "any", includeUsage: true });
const messages = [{ role: "user", content: "Hello?" }];
const counted = (usage) => assert.ok(usage.total_tokens > 0, "usage was asked for");

const created = async (model) => {
  const stream = await openai.chat.completions.create({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.deepEqual([...new Set(choices.map((choice) => choice.index))], [0]);
  assert.equal(choices[0].delta.role, "assistant");
  assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), text);
  assert.deepEqual(
    choices.map((choice) => choice.finish_reason).filter((reason) => reason !== null),
    ["stop"],
  );
  assert.deepEqual([...new Set(chunks.map((chunk) => `${typeof chunk.id} ${chunk.id} ${chunk.created} ${chunk.model}`))].length, 1);
  assert.deepEqual(chunks.at(-1).choices, []);
  counted(chunks.at(-1).usage);
};

const helped = async (model) => {
  const heard = [];
  const runner = openai.chat.completions.stream({ model, messages });
  runner.on("content", (delta) => heard.push(delta));
  const completion = await runner.finalChatCompletion();
  assert.equal(completion.choices.length, 1);
  assert.equal(completion.choices[0].finish_reason, "stop");
  assert.equal(completion.choices[0].message.content, text);
  assert.equal(heard.join(""), text);
};

const whole = async (model) => {
  const completion = await openai.chat.completions.create({ model, messages });
  assert.equal(completion.object, "chat.completion");
  assert.equal(completion.choices.length, 1);
  assert.equal(completion.choices[0].finish_reason, "stop");
  assert.equal(completion.choices[0].message.content, text);
  counted(completion.usage);
};

const streamed = async (model) => {
  const failures = [];
  const result = streamText({
    model: provider(model),
    messages,
    maxRetries: 0,
    onError: ({ error }) => failures.push(error),
  });
  const heard = [];
  for await (const delta of result.textStream) heard.push(delta);
  assert.deepEqual(failures, []);
  assert.equal(heard.join(""), text);
  assert.equal(await result.finishReason, "stop");
  assert.ok((await result.usage).outputTokens > 0, "usage was asked for");
};

const generated = async (model) => {
  const result = await generateText({ model: provider(model), messages, maxRetries: 0 });
  assert.equal(result.text, text);
  assert.equal(result.finishReason, "stop");
  assert.ok(result.usage.totalTokens > 0);
};

const refused = async () => {
  const nobody = openai.chat.completions.create({ model: "nobody", messages, stream: true });
  await assert.rejects(nobody, (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
};

const checks = [
  ...[route, streamingAgent].flatMap((model) => [
    [`openai-node, create, stream: ${model}`, () => created(model)],
    [`openai-node, .stream(): ${model}`, () => helped(model)],
    [`openai-node, not streaming: ${model}`, () => whole(model)],
    [`AI SDK, streamText: ${model}`, () => streamed(model)],
  ]),
  ...[route, streamingAgent, plainAgent].map((model) => [`AI SDK, generateText: ${model}`, () => generated(model)]),
  ["openai-node, an unknown model", refused],
];

let failed = 0;
for (const [name, check] of checks) {
  try {
    await check();
    console.log(`passed  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${error?.stack ?? error}`);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
