/* The man page and the bash completion, written from the table of verbs at build time, so that
 * neither can say less or more than --help does. */
#include "generate.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

static void troff(const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        line_start = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\n' && text[1] == '\n')
            fputs("\n.PP", stdout);
        else
            putchar(*text);
    }
}

static void man_option(const struct argp_option *o)
{
    fputs(".TP\n", stdout);
    if (o->key > 0 && o->key < 128)
        printf("\\fB\\-%c\\fR, ", o->key);
    fputs("\\fB\\-\\-", stdout);
    troff(o->name);
    fputs("\\fR", stdout);
    if (o->arg)
        printf("=\\fI%s\\fR", o->arg);
    putchar('\n');
    troff(o->doc);
    putchar('\n');
}

static void man_options(const struct argp_option *o)
{
    for (; o && (o->name || o->doc); o++)
        if (o->name && !(o->flags & OPTION_HIDDEN))
            man_option(o);
}

static void man_verb(const struct verb *verb)
{
    fputs(".SS \"shadowctl ", stdout);
    troff(verb->name);
    printf("%s", verb->args[0] ? " " : "");
    troff(verb->args);
    fputs("\"\n", stdout);
    troff(verb->summary);
    fputs(".\n", stdout);
    if (verb->text[0]) {
        fputs(".PP\n", stdout);
        troff(verb->text);
        putchar('\n');
    }
    man_options(verb->options);
}

static const char man_tail[] =
    ".SH FILES\n.TP\n\\fI~/.config/shadowwork/shadowctl.conf\\fR\n"
    "Lines \\fBgateway\\fR = URL (several with commas), \\fBtoken\\-file\\fR = FILE, "
    "\\fBca\\-file\\fR = FILE, as "
    "written by "
    "quickstart; \\fBXDG_CONFIG_HOME\\fR is respected.\n"
    ".TP\n\\fI~/.config/shadowwork/token\\fR\nThe token, readable by its owner alone.\n"
    ".SH ENVIRONMENT\n.TP\n\\fBSHADOW_GATEWAY\\fR, \\fBSHADOW_TOKEN_FILE\\fR\n"
    "As \\fB\\-\\-gateway\\fR and \\fB\\-\\-token\\-file\\fR, which win over them.\n"
    ".SH \"EXIT STATUS\"\n"
    "0 done; 1 some inputs failed (they are listed); 2 usage; 3 gateway not reachable; 4 refused; "
    "5 cancelled; 130 interrupted.\n"
    ".SH EXAMPLES\n.nf\n"
    "shadowctl compress \\-\\-level 19 *.tif\n"
    "shadowctl hash /srv/photos > SHA256SUMS && sha256sum \\-c SHA256SUMS\n"
    "shadowctl filter \\-\\-ignore\\-case \\-o errors.txt error /var/log\n"
    "id=$(shadowctl compress \\-\\-detach film.raw) && shadowctl wait $id && shadowctl result "
    "$id\n.fi\n"
    ".SH \"SEE ALSO\"\n\\fBzstd\\fR(1), \\fBsha256sum\\fR(1), \\fBgrep\\fR(1)\n";

static void generate_man(void)
{
    size_t n;
    const struct verb *verbs = verbs_all(&n);
    puts(".TH SHADOWCTL 1 \"\" \"ShadowWork " SHADOW_VERSION "\" \"User Commands\"");
    puts(".SH NAME\nshadowctl \\- hand files to the devices of a ShadowWork and get the results "
         "back");
    puts(".SH SYNOPSIS\n\\fBshadowctl\\fR [\\fIOPTION\\fR...] \\fIVERB\\fR [\\fIARGUMENT\\fR...]");
    puts(".SH DESCRIPTION\nWork verbs send files, wait and write the results. What is meant for "
         "people goes to "
         "standard error; on a terminal a bar shows rate and remaining time. Ctrl\\-C cancels the "
         "job.");
    puts(".SH OPTIONS");
    man_options(ctl_global_options);
    for (int group = 0; group < VERB_GROUPS; group++) {
        printf(".SH \"%s\"\n", verb_group_titles[group]);
        for (size_t i = 0; i < n; i++)
            if ((int)verbs[i].group == group)
                man_verb(&verbs[i]);
    }
    fputs(man_tail, stdout);
}

static void bash_options(const struct argp_option *o)
{
    for (; o && (o->name || o->doc); o++) {
        if (o->name && !(o->flags & OPTION_HIDDEN))
            printf(" --%s", o->name);
        if (o->name && o->key > 0 && o->key < 128)
            printf(" -%c", o->key);
    }
}

/* Options before which the next word is no argument: they take a value that nothing can complete.
 */
static void bash_valued(const struct argp_option *o)
{
    for (; o && (o->name || o->doc); o++)
        if (o->name && o->arg && !strstr(o->arg, "FILE") && !strstr(o->arg, "DIR"))
            printf("|--%s", o->name);
}

static void bash_choices(const struct sw_kernel *kernel)
{
    for (size_t i = 0; i < kernel->n_params; i++)
        if (kernel->params[i].type == SW_PARAM_CHOICE)
            printf("        %s:--%s%s%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
                   kernel->name, kernel->params[i].name,
                   kernel->params[i].required ? "|*:" : "", /* the first word after the verb */
                   kernel->params[i].required ? kernel->name : "", kernel->params[i].choices);
}

static void generate_bash(void)
{
    size_t n;
    const struct verb *verbs = verbs_all(&n);
    puts(
        "# bash completion for shadowctl; written by `shadowctl --generate bash`\n_shadowctl()\n{\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= word "
        "options verbs");
    fputs("    verbs='", stdout);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i ? " " : "", verbs[i].name);
    puts("'\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        case \" $verbs \" in *\" $word \"*) verb=$word; break ;; esac\n    done\n"
         "    case $verb:$prev in");
    for (size_t i = 0; i < n; i++)
        if (verbs[i].kernel)
            bash_choices(verbs[i].kernel);
    puts("    esac\n    case $prev in");
    fputs("        --gateway", stdout);
    for (size_t i = 0; i < n; i++)
        bash_valued(verbs[i].options);
    puts(") return ;;\n    esac\n    case $verb in");
    for (size_t i = 0; i < n; i++) {
        printf("        %s) options='", verbs[i].name);
        bash_options(ctl_global_options);
        bash_options(verbs[i].options);
        puts(" --help' ;;");
    }
    fputs("        *) options='", stdout);
    bash_options(ctl_global_options);
    puts(" --help --version' ;;\n    esac\n"
         "    if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W \"$options\" -- "
         "\"$cur\"))\n"
         "    elif [[ -z $verb && $prev != --token-file && $prev != --ca-file ]]; then\n"
         "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n"
         "    else\n        compopt -o default; COMPREPLY=()\n    fi\n}\ncomplete -F _shadowctl "
         "shadowctl");
}

int generate(const char *what)
{
    if (!strcmp(what, "man"))
        generate_man();
    else if (!strcmp(what, "bash"))
        generate_bash();
    else
        return CTL_USAGE;
    return 0;
}
