# SPDX-License-Identifier: Apache-2.0
"""Errors as a real server numbers and words them."""


class ServerError(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def syntax(near):
    return ServerError(9728, f'syntax error near "{near}"')


def incomplete():
    return ServerError(9729, "Incomplete SQL statement")


def bad_value(near, why):
    return ServerError(534, f"syntax error near '{near}' ({why})")


def no_database():
    return ServerError(904, "Database not exist")


def no_table():
    return ServerError(9731, "Table does not exist")


def no_column(name):
    return ServerError(9730, f"Invalid column name: {name}")


def unspecified():
    return ServerError(9750, "Database not specified")


def out_of_range():
    return ServerError(1547, "Timestamp data out of range")


def misfit():
    return ServerError(280, "Invalid parameters")


def too_long(name=None):
    return ServerError(9811, "Value too long for column/tag" + (f": {name}" if name else ""))
