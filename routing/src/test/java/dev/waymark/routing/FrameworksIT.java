package dev.waymark.routing;

import static dev.waymark.routing.Shards.column;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.apache.ibatis.annotations.Insert;
import org.apache.ibatis.annotations.Options;
import org.apache.ibatis.annotations.Param;
import org.apache.ibatis.annotations.Select;
import org.apache.ibatis.annotations.Update;
import org.apache.ibatis.mapping.Environment;
import org.apache.ibatis.session.Configuration;
import org.apache.ibatis.session.SqlSession;
import org.apache.ibatis.session.SqlSessionFactory;
import org.apache.ibatis.session.SqlSessionFactoryBuilder;
import org.apache.ibatis.transaction.jdbc.JdbcTransactionFactory;
import org.flywaydb.core.Flyway;
import org.hibernate.SessionFactory;
import org.jdbi.v3.core.Jdbi;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.transaction.annotation.EnableTransactionManagement;
import org.springframework.transaction.annotation.Transactional;

/** Each framework as its users use it, over two shards with replicas. */
class FrameworksIT {
  private static Shards shards;
  private static DataSource dataSource;
  @TempDir Path folder;

  @BeforeAll
  static void start() throws SQLException {
    shards = Shards.start(1);
    dataSource = shards.dataSource();
  }

  @AfterAll
  static void stop() {
    shards.close();
  }

  @BeforeEach
  void clear() throws SQLException {
    shards.clear();
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(shards.inUse()).isZero();
  }

  // ---- Spring -------------------------------------------------------------------------------

  /** A repository and service in one. */
  public static class SpringUsers {
    private final JdbcTemplate jdbc;

    public SpringUsers(JdbcTemplate jdbc) {
      this.jdbc = jdbc;
    }

    @Transactional
    public void save(long id, String name) {
      jdbc.update("INSERT INTO users (id, name) VALUES (?, ?)", id, name);
      jdbc.update("INSERT INTO orders (id, user_id, total) VALUES (1, ?, 10)", id);
    }

    @Transactional
    public void fail(long id) {
      jdbc.update("UPDATE users SET name = 'lost' WHERE id = ?", id);
      throw new IllegalStateException("on purpose");
    }

    @Transactional(readOnly = true)
    public List<String> nameAndPort(long id) {
      return List.of(
          jdbc.queryForObject("SELECT name FROM users WHERE id = ?", String.class, id),
          jdbc.queryForObject(
              "SELECT inet_server_port()::text FROM users WHERE id = ?", String.class, id));
    }
  }

  @org.springframework.context.annotation.Configuration(proxyBeanMethods = false)
  @EnableTransactionManagement(proxyTargetClass = true)
  static class SpringSetting {
    @Bean
    DataSourceTransactionManager transactions() {
      return new DataSourceTransactionManager(dataSource);
    }

    @Bean
    SpringUsers users() {
      return new SpringUsers(new JdbcTemplate(dataSource));
    }
  }

  @Test
  void springsTransactionsCommitRollBackAndReadFromReplicas() {
    try (var context = new AnnotationConfigApplicationContext(SpringSetting.class)) {
      SpringUsers users = context.getBean(SpringUsers.class);
      users.save(7, "Ada");
      users.save(1_007, "Grace");
      assertThatThrownBy(() -> users.fail(7)).isInstanceOf(IllegalStateException.class);

      assertThat(users.nameAndPort(7).get(0)).isEqualTo("Ada");
      String replica = "" + shards.cluster().shard(1).replicas().get(0).port();
      await()
          .untilAsserted(
              () -> assertThat(users.nameAndPort(1_007)).containsExactly("Grace", replica));
      assertThat(
              new JdbcTemplate(dataSource)
                  .batchUpdate(
                      "INSERT INTO users (id, name) VALUES (?, ?)",
                      List.of(new Object[] {20L, "a"}, new Object[] {1_020L, "b"})))
          .containsExactly(1, 1);
    }
  }

  // ---- Hibernate ----------------------------------------------------------------------------

  /** A user; the application gives the key, as {@code db.keys()} deals it. */
  @jakarta.persistence.Entity(name = "User")
  @jakarta.persistence.Table(name = "users")
  public static class User {
    @jakarta.persistence.Id long id;
    String name;

    protected User() {}

    User(long id, String name) {
      this.id = id;
      this.name = name;
    }
  }

  @Test
  void hibernateSavesLoadsChangesAndRemoves() {
    org.hibernate.cfg.Configuration settings = new org.hibernate.cfg.Configuration();
    settings.addAnnotatedClass(User.class);
    settings.getProperties().put("hibernate.connection.datasource", dataSource);
    settings.setProperty("hibernate.jdbc.batch_size", "20");
    try (SessionFactory factory = settings.buildSessionFactory()) {
      long first = shards.database().keys().next();
      long second = shards.database().keys().next();
      factory.inTransaction(session -> session.persist(new User(first, "Ada")));
      factory.inTransaction(session -> session.persist(new User(second, "Grace")));
      factory.inTransaction(session -> session.find(User.class, first).name = "Ada L");
      factory.inTransaction(
          session -> {
            session.setDefaultReadOnly(true);
            assertThat(session.find(User.class, first).name).isEqualTo("Ada L");
          });
      List<String> names =
          factory.fromTransaction(
              session -> session.createQuery("select u.name from User u", String.class).list());
      assertThat(names).containsExactlyInAnyOrder("Ada L", "Grace");
      factory.inTransaction(session -> session.remove(session.find(User.class, second)));
      factory.inTransaction(session -> assertThat(session.find(User.class, second)).isNull());
    }
  }

  // ---- jOOQ ---------------------------------------------------------------------------------

  @Test
  void jooqInsertsReturnsAndFetches() {
    DSLContext jooq = DSL.using(dataSource, SQLDialect.POSTGRES);
    var users = DSL.table(DSL.name("users"));
    var id = DSL.field(DSL.name("id"), Long.class);
    var name = DSL.field(DSL.name("name"), String.class);
    assertThat(jooq.insertInto(users, id, name).values(7L, "Ada").execute()).isEqualTo(1);
    Long dealt =
        jooq.insertInto(users, name).values("Grace").returningResult(id).fetchOne().value1();
    assertThat(jooq.select(name).from(users).where(id.eq(dealt)).fetchOne(name)).isEqualTo("Grace");
    jooq.transaction(
        inside -> {
          inside.dsl().update(users).set(name, "Ada L").where(id.eq(7L)).execute();
          assertThat(inside.dsl().fetchCount(users, id.eq(7L))).isEqualTo(1);
        });
    assertThat(jooq.select(name).from(users).where(id.eq(7L)).fetchOne(name)).isEqualTo("Ada L");
    assertThat(jooq.selectCount().from(users).fetchOne().value1()).isEqualTo(2);
  }

  // ---- MyBatis ------------------------------------------------------------------------------

  /** A row with the key that it was dealt. */
  public static class NewUser {
    public Long id;
    public String name;
  }

  /** MyBatis' mapper. */
  public interface UserMapper {
    @Insert("INSERT INTO users (name) VALUES (#{name})")
    @Options(useGeneratedKeys = true, keyProperty = "id", keyColumn = "id")
    int add(NewUser user);

    @Select("SELECT name FROM users WHERE id = #{id}")
    String name(long id);

    @Update("UPDATE users SET name = #{name} WHERE id = #{id}")
    int rename(@Param("id") long id, @Param("name") String name);
  }

  @Test
  void mybatisMapsAndFillsInGeneratedKeys() {
    Configuration settings =
        new Configuration(new Environment("test", new JdbcTransactionFactory(), dataSource));
    settings.addMapper(UserMapper.class);
    SqlSessionFactory factory = new SqlSessionFactoryBuilder().build(settings);
    NewUser user = new NewUser();
    user.name = "Ada";
    try (SqlSession session = factory.openSession()) {
      UserMapper mapper = session.getMapper(UserMapper.class);
      assertThat(mapper.add(user)).isEqualTo(1);
      assertThat(mapper.rename(user.id, "Ada L")).isEqualTo(1);
      session.commit();
    }
    try (SqlSession session = factory.openSession()) {
      assertThat(session.getMapper(UserMapper.class).name(user.id)).isEqualTo("Ada L");
      session.getMapper(UserMapper.class).rename(user.id, "lost");
      session.rollback();
      assertThat(session.getMapper(UserMapper.class).name(user.id)).isEqualTo("Ada L");
    }
  }

  // ---- Jdbi ---------------------------------------------------------------------------------

  @Test
  void jdbiBindsBatchesAndReadsInReadOnlyTransactions() {
    Jdbi jdbi = Jdbi.create(dataSource);
    jdbi.useHandle(
        handle -> {
          var batch = handle.prepareBatch("INSERT INTO users (id, name) VALUES (:id, :name)");
          batch.bind("id", 7L).bind("name", "Ada").add();
          batch.bind("id", 1_007L).bind("name", "Grace").add();
          assertThat(batch.execute()).containsExactly(1, 1);
        });
    jdbi.useTransaction(
        handle ->
            handle
                .createUpdate("UPDATE users SET name = 'Ada L' WHERE id = :id")
                .bind("id", 7L)
                .execute());
    String name =
        jdbi.inTransaction(
            handle -> {
              handle.setReadOnly(true);
              return handle
                  .createQuery("SELECT name FROM users WHERE id = :id")
                  .bind("id", 7L)
                  .mapTo(String.class)
                  .one();
            });
    assertThat(name).isEqualTo("Ada L");
    List<Long> found =
        jdbi.withHandle(
            handle ->
                handle
                    .createQuery("SELECT id FROM users WHERE id IN (<ids>) ORDER BY id")
                    .bindList("ids", List.of(1_007L, 7L))
                    .mapTo(Long.class)
                    .list());
    assertThat(found).containsExactly(7L, 1_007L);
  }

  // ---- Flyway -------------------------------------------------------------------------------

  /** What the page of the documentation shows. */
  private static List<String> migrate(Map<String, DataSource> sources, Path scripts) {
    List<String> migrated = new ArrayList<>();
    sources.forEach(
        (shard, source) -> {
          try {
            Flyway.configure()
                .dataSource(source)
                .locations("filesystem:" + scripts)
                .baselineOnMigrate(true)
                .baselineVersion("0")
                .load()
                .migrate();
            migrated.add(shard);
          } catch (org.flywaydb.core.api.FlywayException failure) {
            throw new IllegalStateException(
                "Migrated: " + migrated + ", failed: " + shard, failure);
          }
        });
    return migrated;
  }

  @Test
  void flywayMigratesEveryShardAndTellsWhichFailed() throws Exception {
    Files.writeString(
        folder.resolve("V1__extra.sql"), "ALTER TABLE users ADD COLUMN email text;\n");
    Map<String, DataSource> sources = shards.database().shardDataSources();
    assertThat(migrate(sources, folder)).containsExactly("shard-1", "shard-2");
    try (Connection connection = dataSource.getConnection()) {
      Shards.update(connection, "INSERT INTO users (id, name, email) VALUES (7, 'Ada', 'a@b')");
      assertThat(column(connection, "SELECT email FROM users WHERE id = 7")).containsExactly("a@b");
    }

    shards.primary(1).execute("CREATE TABLE taken (id int)");
    Files.writeString(
        folder.resolve("V2__taken.sql"),
        "CREATE INDEX by_email ON users (email);\nCREATE TABLE taken (id int);\n");
    assertThatThrownBy(() -> migrate(sources, folder))
        .hasMessage("Migrated: [shard-1], failed: shard-2");
    try (Connection connection = shards.primary(1).connect()) {
      // Each shard's migration is one transaction.
      assertThat(
              column(connection, "SELECT indexname FROM pg_indexes WHERE indexname = 'by_email'"))
          .isEmpty();
    }
    shards.primary(1).execute("DROP TABLE taken");
    assertThat(migrate(sources, folder)).hasSize(2);
  }
}
