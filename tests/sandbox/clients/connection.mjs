// A jsforce connection to the sandbox named by the environment, and the one JSON line that a script ends with.
import { createRequire } from "node:module";

const clients = createRequire(`${process.env.CLIENTS}/package.json`);
const { Connection } = clients("jsforce");

export const connection = () =>
  new Connection({ instanceUrl: process.env.SANDBOX_URL, accessToken: process.env.SANDBOX_TOKEN, version: "62.0" });

export const tell = (found) => console.log(JSON.stringify(found));
