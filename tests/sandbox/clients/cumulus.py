"""CumulusCI's own tasks against the sandbox: load a dataset with parents, upsert it again, extract, deploy, delete.

Run by its own Python in a folder of its own: `python cumulus.py card.json`. The last line it prints is JSON.
"""

import json
import os
import sqlite3
import sys
from pathlib import Path

card = json.loads(Path(sys.argv[1]).read_text())
os.environ |= {
    "REQUESTS_CA_BUNDLE": card["ca_file"],
    "SFDX_CLIENT_ID": card["client_id"],
    "SFDX_HUB_KEY": card["key"],
}
Path(".git").mkdir(exist_ok=True)
Path(".git/HEAD").write_text("ref: refs/heads/main\n")
Path("cumulusci.yml").write_text("project:\n  name: sandbox\n  package:\n    name: sandbox\n    api_version: '62.0'\n")

from cumulusci.core.config import OrgConfig, TaskConfig, UniversalConfig  # noqa: E402
from cumulusci.core.config.project_config import BaseProjectConfig  # noqa: E402
from cumulusci.core.keychain import BaseProjectKeychain  # noqa: E402
from cumulusci.tasks.bulkdata.delete import DeleteData  # noqa: E402
from cumulusci.tasks.bulkdata.extract import ExtractData  # noqa: E402
from cumulusci.tasks.bulkdata.load import LoadData  # noqa: E402
from cumulusci.tasks.salesforce import Deploy  # noqa: E402

MAPPING = """
Practices:
  sf_object: Account
  table: Account
  api: rest
  action: {action}
{key}  fields: [Name, VP_Id__c]
Patients:
  sf_object: Contact
  table: Contact
  api: rest
  action: {action}
{key}  fields: [LastName, VP_Id__c]
  lookups:
    AccountId:
      table: Account
"""
FIELD = (
    "<CustomField xmlns='http://soap.sforce.com/2006/04/metadata'><fullName>Cumulus__c</fullName><label>C</label>"
    "<type>Text</type><length>20</length></CustomField>"
)
PACKAGE = (
    "<Package xmlns='http://soap.sforce.com/2006/04/metadata'><types><members>Account.Cumulus__c</members>"
    "<name>CustomField</name></types><version>62.0</version></Package>"
)

project = BaseProjectConfig(UniversalConfig())
project.keychain = BaseProjectKeychain(project, None)
org = OrgConfig(
    {
        "instance_url": card["https_url"],
        "id": f"{card['https_url']}/id/00D/{card['user']}",
        "username": card["username"],
    },
    "sandbox",
    keychain=project.keychain,
)


def run(task, **options):
    """Runs one task; each logs in anew, by JWT."""
    made = task(project, TaskConfig({"options": options}), org)
    made()
    return made.return_values


def dataset(rows):
    """The SQL file of a dataset in CumulusCI's form."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE Account (id INTEGER PRIMARY KEY, Name VARCHAR(255), VP_Id__c VARCHAR(255));"
        "CREATE TABLE Contact (id INTEGER PRIMARY KEY, LastName VARCHAR(255), VP_Id__c VARCHAR(255), AccountId VARCHAR(255));"
    )
    connection.executemany(
        "INSERT INTO Account VALUES (?, ?, ?)", [(n, f"Cumulus {n}", f"cci:{n}") for n in range(1, 4)]
    )
    patients = [(n, f"Patient {n}", f"cci:{n}", str(n % 3 + 1)) for n in range(1, rows + 1)]
    connection.executemany("INSERT INTO Contact VALUES (?, ?, ?, ?)", patients)
    connection.commit()
    Path("data.sql").write_text("\n".join(connection.iterdump()))


dataset(250)
told = {}
for action in ("insert", "upsert"):
    key = "  update_key: VP_Id__c\n" if action == "upsert" else ""
    Path("mapping.yml").write_text(MAPPING.replace("{action}", action).replace("{key}", key))
    told[action] = run(LoadData, mapping="mapping.yml", sql_path="data.sql")["step_results"]
Path("mapping.yml").write_text(MAPPING.replace("{action}", "insert").replace("{key}", ""))
run(ExtractData, mapping="mapping.yml", sql_path="out.sql")
extracted = sqlite3.connect(":memory:")
extracted.executescript(Path("out.sql").read_text())
told["extracted"] = extracted.execute(
    "SELECT count(*) FROM Contact WHERE VP_Id__c LIKE 'cci:%' AND AccountId <> ''"
).fetchone()[0]
fields = Path("src/objects")
fields.mkdir(parents=True)
(fields / "Account.object").write_text(
    "<CustomObject xmlns='http://soap.sforce.com/2006/04/metadata'>"
    + FIELD.replace("CustomField xmlns='http://soap.sforce.com/2006/04/metadata'", "fields").replace(
        "/CustomField", "/fields"
    )
    + "</CustomObject>"
)
Path("src/package.xml").write_text(PACKAGE)
run(Deploy, path="src")
run(DeleteData, objects="Contact", where="VP_Id__c LIKE 'cci:%'", api="rest")
print(json.dumps(told, default=str))
