// jsforce: Bulk 2.0 ingest step by step and at once, a job with refused rows, deletes, and a Bulk 2.0 query.
import { connection, tell } from "./connection.mjs";

const org = connection();
org.bulk2.pollInterval = 50;
org.bulk2.pollTimeout = 30_000;

const job = org.bulk2.createJob({ object: "Contact", operation: "upsert", externalIdFieldName: "VP_Id__c" });
const opened = await job.open();
await job.uploadData([
  { VP_Id__c: "jb:1", LastName: "One", FirstName: "Ünal" },
  { VP_Id__c: "jb:2", LastName: "Two", FirstName: 'a "quoted",\nname' },
  { VP_Id__c: "jb:3", LastName: "", FirstName: "Nobody" },
]);
const closed = await job.close();
await job.poll(50, 30_000);
const checked = await job.check();
const results = {
  successful: await job.getSuccessfulResults(),
  failed: await job.getFailedResults(),
  unprocessed: await job.getUnprocessedRecords(),
};
await job.delete();
const gone = await job.check().catch((error) => error.errorCode);

const inserted = await org.bulk2.loadAndWaitForResults({
  object: "Contact", operation: "insert", input: "LastName,Title\nAt once,jb\nAt once,jb\n",
});
const found = [];
const stream = await org.bulk2.query("SELECT Id, Title FROM Contact WHERE LastName = 'At once' AND Title = 'jb'");
for await (const record of stream) found.push(record);
const deleted = await org.bulk2.loadAndWaitForResults({
  object: "Contact", operation: "delete", input: found.map(({ Id }) => ({ Id })),
});
const failed = await org.bulk2
  .loadAndWaitForResults({ object: "Contact", operation: "insert", input: "LastName,Nope__c\nX,y\n" })
  .catch((error) => error.message);
tell({ opened, closed, checked, results, gone, inserted, found, deleted, failed });
