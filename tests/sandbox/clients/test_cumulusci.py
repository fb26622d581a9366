from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sandbox.process import SandboxProcess
from tests.sandbox.clients.installation import HERE, cumulusci
from tests.sandbox.conftest import Org
from tests.sandbox.signing import certified_key, private_pem

pytestmark = pytest.mark.timeout(600)  # the first test may install the client


def test_cumulusci_loads_upserts_extracts_deploys_and_deletes(
    sandbox: SandboxProcess, org: Org, tmp_path: Path
) -> None:
    key = private_pem(certified_key(sandbox.salesforce))
    user = org.query("SELECT Id FROM User LIMIT 1")[0]["Id"]
    (tmp_path / "card.json").write_text(json.dumps(sandbox.salesforce | {"user": user, "key": key}))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [str(cumulusci()), str(HERE / "cumulus.py"), "card.json"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    for action in ("insert", "upsert"):
        assert [step["records_processed"] for step in told[action].values()] == [3, 250]
        assert {(step["status"], step["total_row_errors"]) for step in told[action].values()} == {("Success", 0)}
    assert told["extracted"] == 250
    assert org.query("SELECT Id FROM Contact WHERE VP_Id__c LIKE 'cci:%'") == []
    assert len(org.query("SELECT Id FROM Account WHERE VP_Id__c LIKE 'cci:%'")) == 3
    soql = "SELECT Id FROM CustomField WHERE DeveloperName = 'Cumulus'"
    assert len(org.query(soql, "tooling/query")) == 1
