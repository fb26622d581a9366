// jsforce: single records, collections, upsert, queries, describes and a composite request.
import { connection, tell } from "./connection.mjs";

const org = connection();
const one = await org.sobject("Account").create({ Name: "jsforce Clinic", Phone: "617" });
const read = await org.sobject("Account").retrieve(one.id);
await org.sobject("Account").update({ Id: one.id, Phone: "618" });
const upserts = [];
for (const name of ["First", "Second"]) {
  upserts.push(await org.sobject("Account").upsert({ Name: name, VP_Id__c: "js:1" }, "VP_Id__c"));
}
const many = await org.sobject("Contact").create([{ LastName: "Many" }, { FirstName: "No last name" }]);
const query = await org.query("SELECT Id, Name FROM Account WHERE VP_Id__c = 'js:1'");
const describe = await org.sobject("Contact").describe();
const global = await org.describeGlobal();
const composite = await org.requestPost(`/services/data/v62.0/composite`, {
  compositeRequest: [
    { method: "POST", url: "/services/data/v62.0/sobjects/Account", referenceId: "made", body: { Name: "Composite" } },
    { method: "GET", url: "/services/data/v62.0/sobjects/Account/@{made.id}?fields=Name", referenceId: "read" },
  ],
}).catch((error) => ({ error: error.errorCode }));
const refused = await org.sobject("Contact").create({ FirstName: "No last name" }).catch((error) => ({ ...error, text: error.message }));
const destroyed = await org.sobject("Account").destroy(one.id);
const identity = await org.identity().then((found) => found.user_id, (error) => error.errorCode);
tell({
  one, read, upserts, many, query, refused, destroyed, composite, identity,
  fields: describe.fields.map((field) => field.name),
  objects: global.sobjects.map((sobject) => sobject.name),
  usage: org.limitInfo,
});
