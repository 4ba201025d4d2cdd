#include "provisioning/registry/access.h"

#include "provisioning/registry/rows.h"

namespace hatchery::registry {

namespace {

constexpr std::string_view kKeyColumns =
    "SELECT id, wrapped_secret, role, enabled, created FROM access_keys ";

AccessKey make_key(const store::Statement& row) {
    return {std::string(row.text(0)),
            to_bytes(row.blob(1)),
            std::string(row.text(2)),
            row.integer(3) != 0,
            time_of(row, 4)};
}

constexpr std::string_view kStationColumns =
    "SELECT name, certificate, profiles, enabled, created, quota, period, used, not_before, "
    "not_after, serial_numbers FROM stations ";

std::optional<Time> time_or_none(const store::Statement& row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return time_of(row, column);
}

Station make_station(const store::Statement& row) {
    return {std::string(row.text(0)),
            id_of(row, 1),
            list_of(row.text(2)),
            row.integer(3) != 0,
            time_of(row, 4),
            row.is_null(5) ? std::nullopt : std::optional<std::int64_t>(row.integer(5)),
            std::chrono::seconds(row.integer(6)),
            row.integer(7),
            time_or_none(row, 8),
            time_or_none(row, 9),
            list_of(row.text(10))};
}

std::optional<std::int64_t> seconds_or_none(std::optional<Time> time) {
    if (!time) return std::nullopt;
    return seconds(*time);
}

}  // namespace

Result<> add_access_key(store::Tx& tx, const AccessKey& key) {
    return tx.run(
        "INSERT INTO access_keys(id, wrapped_secret, role, enabled, created) "
        "VALUES(?, ?, ?, ?, ?)",
        key.id,
        key.wrapped_secret,
        key.role,
        key.enabled,
        seconds(key.created));
}

Result<AccessKey> find_access_key(store::Reader& reader, std::string_view id) {
    static const std::string kSql = std::string(kKeyColumns) + "WHERE id = ?";
    auto row = reader.query(kSql, id);
    if (auto there = expect_row(row, "access key", id); !there) return std::move(there).error();
    return make_key(row);
}

Result<std::vector<AccessKey>> access_keys(store::Reader& reader) {
    static const std::string kSql = std::string(kKeyColumns) + "ORDER BY id";
    return read_all(reader.query(kSql), make_key);
}

Result<> set_access_key_enabled(store::Tx& tx, std::string_view id, bool enabled) {
    tx.touch_identities();  // the control plane keeps what it read of a key
    auto set = tx.run("UPDATE access_keys SET enabled = ? WHERE id = ?", enabled, id);
    if (!set) return set;
    if (tx.changes() == 0) return missing("access key", id);
    return {};
}

Result<> add_station(store::Tx& tx, const Station& station) {
    auto there =
        has_row(tx.query("SELECT 1 FROM stations WHERE name = ? OR certificate = ? LIMIT 1",
                         station.name,
                         station.certificate.view()));
    if (!there) return std::move(there).error();
    if (*there) {
        return fail(Code::AlreadyExists,
                    "a station named " + station.name + " or with its certificate exists already");
    }
    tx.touch_identities();  // the flows keep whose certificates are stations'
    return tx.run(
        "INSERT INTO stations(name, certificate, profiles, enabled, created, quota, period, "
        "period_start, not_before, not_after, serial_numbers) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5, ?8, ?9, ?10)",
        station.name,
        station.certificate.view(),
        list_text(station.profiles),
        station.enabled,
        seconds(station.created),
        station.quota,
        station.period.count(),
        seconds_or_none(station.not_before),
        seconds_or_none(station.not_after),
        list_text(station.serial_numbers));
}

Result<Station> find_station(store::Reader& reader, const CertificateId& id) {
    static const std::string kSql = std::string(kStationColumns) + "WHERE certificate = ?";
    auto row = reader.query(kSql, id.view());
    if (auto there = expect_row(row, "station with certificate", id.hex()); !there)
        return std::move(there).error();
    return make_station(row);
}

Result<std::vector<Station>> stations(store::Reader& reader) {
    static const std::string kSql = std::string(kStationColumns) + "ORDER BY name";
    return read_all(reader.query(kSql), make_station);
}

Result<> set_station_enabled(store::Tx& tx, std::string_view name, bool enabled) {
    auto set = tx.run("UPDATE stations SET enabled = ? WHERE name = ?", enabled, name);
    if (!set) return set;
    if (tx.changes() == 0) return missing("station", name);
    tx.touch_identities();  // the factory line's front keeps what it read of a station
    return {};
}

}  // namespace hatchery::registry
