// jsforce: the Metadata API over SOAP and REST, with the zip file that the environment names, and Tooling.
import { readFileSync } from "node:fs";
import { connection, tell } from "./connection.mjs";

const org = connection();
const { metadata, tooling } = org;
metadata.pollInterval = 20;
metadata.pollTimeout = 20_000;

const zip = readFileSync(process.env.PACKAGE);
const options = { singlePackage: true, rollbackOnError: true };
const soap = await metadata.deploy(zip, options).complete({ details: true });
const rest = await metadata.deployRest(zip, options).then(async ({ id }) => {
  let found = await metadata.checkDeployStatus(id, true, true);
  while (!found.done) found = await metadata.checkDeployStatus(id, true, true);
  return found;
});
const made = await metadata.create("CustomField", {
  fullName: "Account.By_jsforce__c", label: "By jsforce", type: "Checkbox", defaultValue: true,
});
const refused = await metadata.create("CustomField", { fullName: "Account.Bad__c", label: "Bad", type: "Text" });
const removed = await metadata.delete("CustomField", "Account.By_jsforce__c");
const described = await metadata.describe("62.0");
const listed = await metadata.list([{ type: "CustomObject" }], "62.0");
const tool = await tooling.sobject("CustomField").create({
  FullName: "Account.By_tooling__c", Metadata: { label: "By tooling", type: "Number", precision: 8, scale: 0 },
});
const asked = await tooling.query("SELECT DeveloperName FROM CustomField WHERE DeveloperName = 'By_tooling'");
tell({
  soap, rest, made, refused, removed, tool, asked,
  described: described.metadataObjects.map((each) => each.xmlName),
  listed: listed.map((each) => each.fullName),
});
