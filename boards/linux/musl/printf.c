// printf.c - snprintf and vsnprintf for the static commands, instead of musl's, which add 7 KB of
// floating point and of stdio. They support what the command, the ports and mbedTLS use: d i u x X
// s c %, with '-', '0', a width, a precision and a length. Anything else is a mistake of the
// programmer, and ends the program; the tests run every such text.

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct output {
    char *buf;
    size_t cap, len;
};

struct conversion {
    bool left, zero;
    int width, precision; // -1: not given
    int size;             // of a number: 0 int, 1 long, 2 long long, 3 size_t
};

static void put(struct output *o, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++, o->len++) {
        if (o->len + 1 < o->cap) {
            o->buf[o->len] = text[i];
        }
    }
}

static void pad(struct output *o, char c, int count) {
    while (count-- > 0) {
        put(o, &c, 1);
    }
}

static void put_field(struct output *o, const struct conversion *v, const char *sign,
                      const char *text, size_t len) {
    int room = v->width - (int)(len + strlen(sign));

    if (!v->left && !v->zero) {
        pad(o, ' ', room);
    }
    put(o, sign, strlen(sign));
    if (!v->left && v->zero) {
        pad(o, '0', room);
    }
    put(o, text, len);
    if (v->left) {
        pad(o, ' ', room);
    }
}

static void put_number(struct output *o, const struct conversion *v, uint64_t value, unsigned base,
                       const char *digits, const char *sign) {
    char text[24];
    size_t at = sizeof(text);

    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value > 0);
    put_field(o, v, sign, text + at, sizeof(text) - at);
}

static int number(const char **format, va_list *arguments) {
    int value = 0;

    if (**format == '*') {
        (*format)++;
        return va_arg(*arguments, int);
    }
    while (**format >= '0' && **format <= '9') {
        value = value * 10 + *(*format)++ - '0';
    }
    return value;
}

static int64_t take_signed(int size, va_list *arguments) {
    return size == 0   ? va_arg(*arguments, int)
           : size == 1 ? va_arg(*arguments, long)
           : size == 2 ? va_arg(*arguments, long long)
                       : va_arg(*arguments, ptrdiff_t);
}

static uint64_t take_unsigned(int size, va_list *arguments) {
    return size == 0   ? va_arg(*arguments, unsigned)
           : size == 1 ? va_arg(*arguments, unsigned long)
           : size == 2 ? va_arg(*arguments, unsigned long long)
                       : va_arg(*arguments, size_t);
}

// One conversion, after its '%'. Returns the rest of the format.
static const char *convert(struct output *o, const char *format, va_list *arguments) {
    struct conversion v = {.precision = -1};
    const char *text;
    int64_t value;
    char c;

    for (; *format == '-' || *format == '0'; format++) {
        v.left |= *format == '-';
        v.zero |= *format == '0';
    }
    v.width = number(&format, arguments);
    if (*format == '.') {
        format++;
        v.precision = number(&format, arguments);
    }
    for (; *format == 'l'; format++) {
        v.size++;
    }
    if (*format == 'z') {
        v.size = 3;
        format++;
    }
    switch (*format) {
    case 'd':
    case 'i':
        value = take_signed(v.size, arguments);
        put_number(o, &v, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, "0123456789",
                   value < 0 ? "-" : "");
        break;
    case 'u':
        put_number(o, &v, take_unsigned(v.size, arguments), 10, "0123456789", "");
        break;
    case 'x':
        put_number(o, &v, take_unsigned(v.size, arguments), 16, "0123456789abcdef", "");
        break;
    case 'X':
        put_number(o, &v, take_unsigned(v.size, arguments), 16, "0123456789ABCDEF", "");
        break;
    case 's':
        text = va_arg(*arguments, const char *);
        put_field(o, &v, "", text,
                  v.precision < 0 ? strlen(text) : strnlen(text, (size_t)v.precision));
        break;
    case 'c':
        c = (char)va_arg(*arguments, int);
        put_field(o, &v, "", &c, 1);
        break;
    case '%':
        put(o, "%", 1);
        break;
    default:
        __builtin_trap();
    }
    return format + 1;
}

int vsnprintf(char *buf, size_t cap, const char *format, va_list arguments) {
    struct output o = {buf, cap, 0};
    va_list copy;

    va_copy(copy, arguments);
    while (*format != '\0') {
        if (*format == '%') {
            format = convert(&o, format + 1, &copy);
        } else {
            put(&o, format++, 1);
        }
    }
    va_end(copy);
    if (cap > 0) {
        buf[o.len < cap ? o.len : cap - 1] = '\0';
    }
    return (int)o.len;
}

int snprintf(char *buf, size_t cap, const char *format, ...) {
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(buf, cap, format, arguments);
    va_end(arguments);
    return len;
}
