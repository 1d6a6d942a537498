/* Specs made from a document: every option by name, mistakes with their path. */
#include "check.h"

#include <errno.h>

static void a_document_is_a_spec(void)
{
    char text[64];
    ns_spec *spec;
    OK(ns_spec_from_json("{\"args\": [\"sh\", \"-c\", \"id -u; hostname\"], \"map_root\": true, \"hostname\": \"box\"}", &spec, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 0 && !strcmp(text, "0\nbox\n"));
    /* Setters add to it. */
    OK(ns_spec_from_json("{\"sandbox\": true, \"mounts\": [{\"type\": \"file\", \"content\": \"hello\", \"target\": \"/tmp/it\"}]}", &spec, &err));
    const char *argv[] = {"cat", "/tmp/it", NULL};
    OK(ns_spec_argv(spec, argv, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 0 && !strcmp(text, "hello"));
}

static void a_document_adds_to_a_spec(void)
{
    char text[64];
    ns_spec *spec = shell("id -u; hostname; ulimit -n");
    OK(ns_spec_hostname(spec, "one", &err));
    OK(ns_spec_add_json(spec, "{\"map_root\": true, \"hostname\": \"two\", \"rlimits\": {\"nofile\": 77}}", &err));
    FAILS(ns_spec_add_json(spec, "{\"nice\": 100}", &err), EINVAL, "nice: ");
    FAILS(ns_spec_add_json(spec, "{\"share\": \"net\"}", &err), EINVAL, "share: it loosens");
    FAILS(ns_spec_add_json(spec, NULL, &err), EINVAL, "json is NULL");
    FAILS(ns_spec_add_json(NULL, "{}", &err), EINVAL, "spec is NULL");
    CHECK(output(spec, text, sizeof text).exit_code == 0 && !strcmp(text, "0\ntwo\n77\n"));
}

static void a_sandbox_is_made_once(void)
{
    char *json;
    ns_spec *spec = shell("mkdir /tmp/a && mkdir /tmp/b");
    OK(ns_spec_add_json(spec, "{\"seccomp\": [{\"deny\": [\"mkdir\", \"mkdirat\"]}]}", &err));
    OK(ns_spec_add_json(spec, "{\"landlock\": {\"execute\": \"/\", \"best_effort\": true}}", &err));
    OK(ns_spec_add_json(spec, "{\"sandbox\": true}", &err));
    OK(ns_spec_add_json(spec, "{\"sandbox\": true}", &err));
    FAILS(ns_spec_add_json(spec, "{\"sandbox\": false}", &err), EINVAL, "sandbox: ");
    OK(ns_spec_to_json(spec, &json, &err));
    CHECK(strstr(json, "mkdirat") && strstr(json, "\"landlock\":{"));
    ns_string_free(json);
    char text[64];
    CHECK(output(spec, text, sizeof text).exit_code != 0);
}

static void a_spec_is_written_as_a_document(void)
{
    char *json, *again;
    ns_spec *spec = shell("exit 0"), *copy;
    OK(ns_spec_sandbox(spec, &err));
    OK(ns_spec_hostname(spec, "box", &err));
    OK(ns_spec_mount_tmpfs(spec, "/work", 4096, 0755, 0, &err));
    OK(ns_spec_to_json(spec, &json, &err));
    CHECK(strstr(json, "\"sandbox\":true") && strstr(json, "\"hostname\":\"box\"") && strstr(json, "\"size\":4096"));
    OK(ns_spec_from_json(json, &copy, &err));
    OK(ns_spec_to_json(copy, &again, &err));
    CHECK(!strcmp(json, again));
    ns_string_free(json), ns_string_free(again);
    ns_spec_free(copy);
    OK(ns_spec_hostname(spec, "\xff", &err));
    OK(ns_spec_to_json(spec, &json, &err));
    CHECK(strstr(json, "\"hostname\":{\"base64\":\"/w==\"}"));
    ns_string_free(json);
    OK(ns_spec_env_set(spec, "\xff", "1", &err));
    FAILS(ns_spec_to_json(spec, &json, &err), EINVAL, "env: ");
    FAILS(ns_spec_to_json(NULL, &json, &err), EINVAL, "spec is NULL");
    FAILS(ns_spec_to_json(spec, NULL, &err), EINVAL, "out is NULL");
    ns_spec_free(spec);
}

static void mistakes_are_named(void)
{
    ns_spec *spec = NULL;
    ns_error err;
    FAILS(ns_spec_from_json("{\"mounts\": [{\"type\": \"tmpfs\", \"target\": \"/tmp\", \"size\": \"lots\"}]}", &spec, &err), EINVAL, "mounts[0].size: ");
    FAILS(ns_spec_from_json("{\"nice\": 100}", &spec, &err), EINVAL, "nice: ");
    FAILS(ns_spec_from_json("nothing", &spec, &err), EINVAL, "spec document: ");
    FAILS(ns_spec_from_json("{\"hostname\": \"\xff\"}", &spec, &err), EINVAL, "UTF-8");
    FAILS(ns_spec_from_json(NULL, &spec, &err), EINVAL, "json is NULL");
    FAILS(ns_spec_from_json("{}", NULL, &err), EINVAL, "out is NULL");
    CHECK(ns_spec_from_json("{\"hostnam\": \"box\"}", &spec, &err) == -EINVAL);
    CHECK(!strcmp(err.hint, "did you mean hostname?") && spec == NULL);
}

static void the_schema_is_at_hand(void)
{
    char *schema = ns_spec_schema();
    CHECK(schema && strstr(schema, "\"hostname\"") && strstr(schema, "json-schema.org"));
    ns_string_free(schema);
    ns_string_free(NULL);
}

int main(void)
{
    RUN(a_document_is_a_spec);
    RUN(a_document_adds_to_a_spec);
    RUN(a_sandbox_is_made_once);
    RUN(a_spec_is_written_as_a_document);
    RUN(mistakes_are_named);
    RUN(the_schema_is_at_hand);
    return 0;
}
