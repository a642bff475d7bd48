"""One file a call: a connection, the file's rows through execute_values, a commit. Processes share the files."""
import glob, gzip, json, multiprocessing, sys
import psycopg2
from psycopg2.extras import execute_values

URL, FOLDER, PROCESSES, FILES = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
KEPT = {"click", "purchase"}


def load(name):
    rows = []
    with gzip.open(name, "rt") as lines:
        for line in lines:
            event = json.loads(line)
            if event["event_type"] in KEPT:
                rows.append((event["event_id"], event["user_id"], event["event_type"], event["ts"], event["amount"]))
    connection = psycopg2.connect(URL)
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "insert into events (event_id, user_id, event_type, ts, amount) values %s on conflict do nothing",
            rows,
        )
    connection.close()


if __name__ == "__main__":
    names = sorted(glob.glob(FOLDER + "/*.json.gz"))[:FILES]
    with multiprocessing.Pool(PROCESSES) as pool:
        for _ in pool.imap_unordered(load, names):
            pass
