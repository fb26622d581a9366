"""What opportunities, price book entries and line items work out from what they point to.

Owns probabilities and forecast categories of stages, names and codes of entries, prices of items. Called by `rows` before
a chunk of them is written. The probabilities are those of a new org; the texts of refusals are unverified.
"""

import sqlite3

from sandbox.salesforce.chunk import Write, present
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Schema

STAGES = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
NAMES = {"Pipeline": "Pipeline", "Closed": "Closed", "Omitted": "Omitted"}


class Products:
    """The sales side of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    def opportunities(self, connection: sqlite3.Connection, write: Write) -> None:
        """Probability and forecast follow the stage unless they are given; quarter and year follow the close date."""
        del connection
        for row in write.lasting((*write.new, *write.known)):
            stage, close = write.given("StageName", row), write.given("CloseDate", row)
            if stage:
                likely, category = STAGES.get(stage, (0, "Pipeline"))
                if write.given("Probability", row) is None:
                    write.put("Probability", row, likely)
                write.put("ForecastCategory", row, category)
                if write.given("ForecastCategoryName", row) is None:
                    write.put("ForecastCategoryName", row, NAMES[category])
            if close:
                quarter = (int(close[5:7]) + 2) // 3
                write.put("FiscalQuarter", row, quarter)
                write.put("FiscalYear", row, int(close[:4]))
                write.put("Fiscal", row, f"{close[:4]} {quarter}")

    def entries(self, connection: sqlite3.Connection, write: Write) -> None:
        """An entry bears its product's name; a product needs a standard price first, and has one entry a book."""
        products, books = (present(write.stored.get(name, ())) for name in ("Product2Id", "Pricebook2Id"))
        found = self._records.select(connection, "Product2", ("Id", "Name", "ProductCode"), "Id", products, live=True)
        named = {each[0]: each[1:] for each in found}
        standard = dict(self._records.select(connection, "Pricebook2", ("Id", "IsStandard"), "Id", books, live=True))
        entries = self._records.select(
            connection, "PricebookEntry", ("Product2Id", "Pricebook2Id", "Id"), "Product2Id", products, live=True
        )
        known = {(product, book): identity for product, book, identity in entries}
        priced = {product for product, book in known if self._is_standard(connection, book)}
        for row in write.lasting(write.new):
            product, book = write.given("Product2Id", row), write.given("Pricebook2Id", row)
            if standard.get(book):
                priced.add(product)
            elif product not in priced:
                text = "Before creating a custom price, create a standard price."
                write.refuse(row, "STANDARD_PRICE_NOT_DEFINED", text)
                continue
            if (product, book) in known:
                text = "This price definition already exists in this price book"
                write.refuse(row, "FIELD_INTEGRITY_EXCEPTION", text, "Product2Id")
                continue
            known[product, book] = ""
            name, code = named.get(product, (None, None))
            write.put("Name", row, name)
            write.put("ProductCode", row, code)

    def _is_standard(self, connection: sqlite3.Connection, book: str) -> bool:
        return bool(
            dict(self._records.select(connection, "Pricebook2", ("Id", "IsStandard"), "Id", [book], live=True)).get(
                book
            )
        )

    def items(self, connection: sqlite3.Connection, write: Write) -> None:
        """An item takes product, name and list price from its entry; of unit and total price one is needed."""
        entries = present(write.stored.get("PricebookEntryId", ()))
        names = ("Id", "Product2Id", "Name", "ProductCode", "UnitPrice")
        found = self._records.select(connection, "PricebookEntry", names, "Id", entries, live=True)
        named = {each[0]: each[1:] for each in found}
        for row in write.lasting(write.new):
            entry = named.get(write.given("PricebookEntryId", row))
            if entry is None:
                text = "field integrity exception: PricebookEntryId (pricebook entry has not been specified)"
                write.refuse(row, "FIELD_INTEGRITY_EXCEPTION", text, "PricebookEntryId")
                continue
            product, name, code, price = entry
            write.put("Product2Id", row, product)
            write.put("ProductCode", row, code)
            write.put("ListPrice", row, price)
            write.put("Name", row, name)
            quantity = write.given("Quantity", row) or 0
            unit, total = write.given("UnitPrice", row), write.given("TotalPrice", row)
            if unit is None and total is None:
                unit = price
            write.put("UnitPrice", row, unit if unit is not None else (total / quantity if quantity else None))
            write.put("TotalPrice", row, total if total is not None else unit * quantity)
