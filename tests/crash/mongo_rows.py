"""Prints the jobs and chunks that a majority of a MongoDB server has: run by oracle.py with the Python that has a driver
(tests/mongo/server.py), with the database's URI. A job that is being forgotten is none."""

import json
import sys

from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

with MongoClient(sys.argv[1]) as client:
    base = client.get_default_database(read_concern=ReadConcern("majority"))
    jobs = [[row["_id"], row.get("key", ""), row["final_ms"] > 0]
            for row in base["jobs"].find({"gone": {"$exists": False}}, {"body": 0})]
    chunks = [[row["job"], row["n"], row["state"]] for row in base["chunks"].find({}, {"job": 1, "n": 1, "state": 1})]
print(json.dumps([jobs, chunks]))
