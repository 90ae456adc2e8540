package dev.waymark.sample;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.waymark.WaymarkConfig;
import io.javalin.Javalin;
import io.javalin.http.Context;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;

/**
 * The service and, in the same process, what {@link ServiceFiguresIT} measures it against: its own
 * server with a route that answers a constant, and a hand-written one that reads from a replica
 * through HikariCP.
 *
 * <p>Arguments: the configuration, the replica's URL, the database's user and password. Prints the
 * two ports.
 */
final class FiguresServer {
  private static final byte[] CONSTANT =
      """
      {"success":true,"data":{"id":1,"name":"Ada Lovelace","email":"ada.1@example.org",\
      "created_at":"2026-11-23T09:07:12.247089Z","updated_at":"2026-11-23T09:07:12.247089Z"},\
      "meta":{"timestamp":"2026-11-23T09:07:35.453Z","version":1}}"""
          .getBytes(StandardCharsets.UTF_8);

  private FiguresServer() {}

  public static void main(String[] arguments) throws Exception {
    SampleService service = SampleService.open(WaymarkConfig.load(Path.of(arguments[0])));
    SampleSchema.install(service.database());
    HikariConfig pool = new HikariConfig();
    pool.setJdbcUrl(arguments[1]);
    pool.setUsername(arguments[2]);
    pool.setPassword(arguments[3]);
    pool.setMaximumPoolSize(10);
    pool.setReadOnly(true);
    HikariDataSource replica = new HikariDataSource(pool);
    // Through the same filters and with the same headers as the users: what differs is the look-up.
    int port =
        service
            .serve(
                "127.0.0.1",
                0,
                (Routes)
                    routes -> {
                      routes.get("/api/v1/constant/{id}", FiguresServer::constant);
                      routes.get(
                          "/api/v1/plain/{user}/{order}", context -> order(context, replica));
                    })
            .port();
    Javalin plain =
        Javalin.create(
            config -> {
              config.startup.showJavalinBanner = false;
              config.startup.startupWatcherEnabled = false;
              config.routes.get("/orders/{user}/{order}", context -> order(context, replica));
            });
    plain.start("127.0.0.1", 0);
    System.out.println("ports " + port + " " + plain.port());
    // Until its standard input ends, as the measuring process does.
    while (System.in.read() >= 0) {}
    plain.stop();
    replica.close();
    service.close();
  }

  private static void constant(Context context) {
    context
        .contentType("application/json")
        .header("Cache-Control", "private, no-cache")
        .header("ETag", "\"v1-0000000000000000\"")
        .result(CONSTANT);
  }

  private static void order(Context context, HikariDataSource replica) throws SQLException {
    try (Connection connection = replica.getConnection();
        PreparedStatement select =
            connection.prepareStatement(
                """
                SELECT id, user_id, items, total_amount, status, cancel_reason, created_at,
                       updated_at, revision
                FROM orders WHERE user_id = ? AND id = ?
                """)) {
      select.setLong(1, Long.parseLong(context.pathParam("user")));
      select.setLong(2, Long.parseLong(context.pathParam("order")));
      try (ResultSet row = select.executeQuery()) {
        if (!row.next()) {
          context.status(404);
          return;
        }
        Order order =
            new Order(
                row.getLong("id"),
                row.getLong("user_id"),
                List.of(Json.read(row.getString("items"), Order.Item[].class)),
                row.getBigDecimal("total_amount"),
                Order.Status.of(row.getString("status")),
                row.getString("cancel_reason"),
                row.getObject("created_at", OffsetDateTime.class).toInstant(),
                row.getObject("updated_at", OffsetDateTime.class).toInstant(),
                row.getString("revision"));
        context
            .contentType("application/json")
            .result(
                Json.bytes(
                    Map.of(
                        "success",
                        true,
                        "data",
                        order,
                        "meta",
                        Map.of("timestamp", Instant.now().toString()))));
      }
    }
  }
}
