// Makes the one server a replica set and lets the broker in. Run by mongosh --nodb, once and again; the passwords are
// read from files, so that no argument and no environment holds them.
const secret = (name) => require("fs").readFileSync(`/run/secrets/${name}`, "utf8").trim();
const admin = connect(
  `mongodb://admin:${encodeURIComponent(secret("mongo-admin-password"))}@mongo:27017/admin?directConnection=true`);
try {
  admin.adminCommand({ replSetGetStatus: 1 });
} catch (problem) {
  if (problem.codeName !== "NotYetInitialized") throw problem;
  admin.adminCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] } });
}
while (!admin.hello().isWritablePrimary) sleep(200);
const database = admin.getSiblingDB("shadowwork");
const user = { pwd: secret("mongo-password"), roles: [{ role: "readWrite", db: "shadowwork" }] };
if (database.getUser("shadowwork")) database.updateUser("shadowwork", user);
else database.createUser({ user: "shadowwork", ...user });
print("the replica set rs0 has a primary, and the broker may use the database shadowwork");
