// Asks Kyujang by each client for Node, set up as its documentation does.
// usage: node ask.mjs FOLDER URL KEY CLIENT, where FOLDER has the packages
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, key, client] = process.argv.slice(2);
const require = createRequire(folder + "/");
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const QUESTION = "When does the reading room open?";
const joined = async (parts) => {
  let text = "";
  for await (const part of parts) text += part;
  return text;
};

const CLIENTS = {
  async openai() {
    const module = await load("openai");
    const OpenAI = module.OpenAI ?? module.default;
    const asked = new OpenAI({ baseURL: url, apiKey: key });
    const messages = [{ role: "user", content: QUESTION }];
    const chat = await asked.chat.completions.create({ model: "default", messages });
    const stream = await asked.chat.completions.create({ model: "default", messages, stream: true });
    let streamed = "";
    for await (const chunk of stream) streamed += chunk.choices[0]?.delta?.content ?? "";
    const response = await asked.responses.create({ model: "default", input: QUESTION });
    const vectors = await asked.embeddings.create({ model: "default", input: ["a", "b"] });
    return {
      chat: chat.choices[0].message.content,
      stream: streamed,
      response: response.output_text,
      dimensions: vectors.data.map((each) => each.embedding.length),
    };
  },
  async vercel() {
    const { generateText, generateObject, streamText, embedMany, jsonSchema } = await load("ai");
    const { createOpenAI } = await load("@ai-sdk/openai");
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const provider = createOpenAI({ baseURL: url, apiKey: key });
    const compatible = createOpenAICompatible({ name: "kyujang", baseURL: url, apiKey: key });
    const schema = jsonSchema({ type: "object", properties: { opens: { type: "string" } }, required: ["opens"], additionalProperties: false });
    const { embeddings } = await embedMany({ model: provider.textEmbeddingModel("default"), values: ["a", "b"] });
    return {
      response: (await generateText({ model: provider("default"), prompt: QUESTION })).text,
      "response stream": await joined(streamText({ model: provider("default"), prompt: QUESTION }).textStream),
      chat: (await generateText({ model: provider.chat("default"), prompt: QUESTION })).text,
      stream: await joined(streamText({ model: compatible("default"), prompt: QUESTION }).textStream),
      schema: (await generateObject({ model: provider("default"), schema, prompt: QUESTION })).object.opens,
      json: (await generateObject({ model: compatible("default"), schema, prompt: QUESTION })).object.opens,
      dimensions: embeddings.map((each) => each.length),
    };
  },
};

console.log(JSON.stringify(await CLIENTS[client]()));
